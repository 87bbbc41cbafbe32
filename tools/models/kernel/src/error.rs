// SPDX-License-Identifier: GPL-2.0

//! Errors.

/// An errno.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error(i32);

/// Something, or an errno.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

/// The errnos that are used.
pub mod code {
    use super::Error;
    pub const ENOMEM: Error = Error(-12);
    pub const EBUSY: Error = Error(-16);
    pub const EINVAL: Error = Error(-22);
    pub const EOVERFLOW: Error = Error(-75);
    pub const ESHUTDOWN: Error = Error(-108);
}
