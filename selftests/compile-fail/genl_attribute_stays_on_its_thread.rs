// E0277: an attribute is read and wiped by the thread that handles the request, by no other
// SPDX-License-Identifier: GPL-2.0

//! An attribute that is sent away.

#![forbid(unsafe_code)]

use kext::net::genl::Request;

/// Sends something to another thread.
pub fn send<T: Send>(_: T) {}

/// Handles a request.
pub fn set(request: &Request<'_>) {
    send(request.get(1).and_then(|attr| attr.u32()));
    send(request.get(1)); //~
}
