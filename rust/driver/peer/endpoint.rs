// SPDX-License-Identifier: GPL-2.0

//! Where a peer is, and the route to it.

use super::Peer;
use crate::{
    device::Device,
    diag::{
        EndpointPin,
        Learnt, //
    },
    endpoint::{
        DisplayRemote,
        Endpoint,
        EndpointSrc, //
    },
    jiffies::JiffyStamp, //
};
use kext::{
    context::Bh,
    debug,
    net::{
        addr::SocketAddr,
        device::DeviceRef,
        route::{
            Route4,
            Route6,
            RouteGso, //
        }, //
    }, //
};

/// A cached route to an endpoint.
#[derive(Clone)]
pub(crate) enum Route {
    V4(Route4),
    V6(Route6),
}

impl Route {
    /// Returns which GSO packets should use the route.
    pub(crate) fn gso(&self, bh: &Bh<'_>) -> RouteGso {
        match self {
            Self::V4(route) => route.gso::<Device>(bh),
            Self::V6(route) => route.gso::<Device>(bh),
        }
    }

    /// Returns how long datagrams may be that become part of a GSO packet for the route.
    pub(crate) fn gso_max(&self, bh: &Bh<'_>) -> u32 {
        match self {
            Self::V4(route) => route.gso_max(bh),
            Self::V6(route) => route.gso_max(bh),
        }
    }

    /// Returns whether the route may still be used.
    pub(crate) fn is_valid(&self, bh: &Bh<'_>) -> bool {
        match self {
            Self::V4(route) => route.still_valid(bh),
            Self::V6(route) => route.still_valid(bh),
        }
    }
}

/// The endpoint of a peer and the route to it, under one lock so that they always match.
pub(crate) struct EndpointState {
    pub(crate) endpoint: Endpoint,
    pub(crate) route: Option<Route>,
    /// Which GSO packets should use that route.
    pub(crate) gso: RouteGso,
    /// When that was looked up.
    pub(crate) gso_at: JiffyStamp,
    /// The interface and the number of the peer, for the log.
    owner: (DeviceRef<Device>, u64),
}

impl Drop for EndpointState {
    fn drop(&mut self) {
        if let Some(remote) = &self.endpoint.remote {
            self.owner.0.data().known().remove(remote);
        }
        debug!(
            "{}: Peer {} ({}) destroyed\n",
            self.owner.0.name(),
            self.owner.1,
            DisplayRemote(self.endpoint.remote)
        );
    }
}

impl EndpointState {
    /// Creates the state of a peer without an endpoint.
    pub(crate) fn new(owner: (DeviceRef<Device>, u64)) -> Self {
        Self {
            endpoint: Endpoint {
                remote: None,
                src: EndpointSrc::Any,
            },
            route: None,
            gso: RouteGso::TcpOnly,
            gso_at: JiffyStamp::now(),
            owner,
        }
    }
}

impl Peer {
    /// Returns the remote address and port.
    pub(crate) fn remote(&self, bh: &Bh<'_>) -> Option<SocketAddr> {
        self.endpoint().lock(bh).endpoint.remote
    }

    /// Returns whether the peer is at the remote address and port of `endpoint`.
    pub(crate) fn is_at(&self, endpoint: &Endpoint, bh: &Bh<'_>) -> bool {
        self.endpoint().lock(bh).endpoint.is_same_remote(endpoint)
    }

    /// Moves the peer to another endpoint. Returns the number of the change.
    ///
    /// Where it is pinned, messages do not move it.
    pub(crate) fn set_endpoint(&self, endpoint: &Endpoint, how: Learnt, bh: &Bh<'_>) -> u32 {
        let (mut old, mut is_moved) = (None, false);
        let mut state = self.endpoint().lock(bh);
        // Under the lock, which a new pin takes after it is set: so no message that was free to
        // move the endpoint does so behind it, and none that was not hides the endpoint's change.
        let is_free = match self.diag().endpoint_pin(bh) {
            EndpointPin::Moves => true,
            EndpointPin::WithHandshakes => how != Learnt::Data,
            EndpointPin::Fixed => how == Learnt::Configuration,
        };
        let before = state.endpoint.remote;
        let is_elsewhere = !state.endpoint.is_same_remote(endpoint);
        if !state.endpoint.is_same(endpoint) && (is_free || before.is_none() || !is_elsewhere) {
            let known = self.device().data().known();
            if let Some(remote) = &endpoint.remote {
                known.add(remote);
            }
            if let Some(remote) = &before {
                known.remove(remote);
            }
            state.endpoint = *endpoint;
            if is_elsewhere {
                self.stamp_learnt(how, bh);
                is_moved = true;
            }
            old = self.invalidate_route(&mut state);
        }
        let change = self.endpoint_change_number();
        drop(state);
        drop(old);
        if is_moved {
            self.note_moved(how, before, endpoint.remote, bh);
        }
        change
    }

    /// Moves the peer to the source of its datagrams.
    ///
    /// Usually the endpoint is unchanged. That is checked without its lock, whose cache line
    /// senders write for each batch.
    pub(crate) fn seen_at(&self, endpoint: &Endpoint, bh: &Bh<'_>) {
        let change = self.endpoint_change_number();
        if self.rx().lock(bh).is_seen_at(endpoint, change) {
            return;
        }
        let change = self.set_endpoint(endpoint, Learnt::Data, bh);
        self.rx().lock(bh).set_seen(*endpoint, change);
    }

    /// Forgets the local address and the cached route.
    pub(crate) fn clear_source(&self, bh: &Bh<'_>) {
        let mut state = self.endpoint().lock(bh);
        state.endpoint.src = EndpointSrc::Any;
        let old = self.invalidate_route(&mut state);
        drop(state);
        drop(old);
    }

    /// Notes that the endpoint changed, and returns the cached route, which the caller drops
    /// without the lock.
    fn invalidate_route(&self, state: &mut EndpointState) -> Option<Route> {
        self.note_endpoint_change(state.endpoint.remote.is_some());
        state.route.take()
    }
}
