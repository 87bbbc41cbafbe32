// SPDX-License-Identifier: GPL-2.0

//! Where the fields of `struct sk_buff` are.
//!
//! The numbers of anonymous members depend on the configuration of the kernel; they are used only
//! here. Each function requires a valid buffer, which nobody else changes at the same time.

use crate::bindings::{
    net_device,
    sk_buff, //
};
use core::ptr::null_mut;
use kernel::{
    bindings,
    ffi::c_ulong, //
};

/// The fields that `__copy_skb_header()` copies at once.
pub(super) type Headers = bindings::sk_buff__bindgen_ty_4__bindgen_ty_1;

/// The group that the fields make up.
type HeadersGroup = bindings::sk_buff__bindgen_ty_4__bindgen_ty_2;

/// # Safety
///
/// See the module.
#[inline]
pub(super) unsafe fn headers(skb: *mut sk_buff) -> *mut Headers {
    const { assert!(size_of::<Headers>() == size_of::<HeadersGroup>()) };
    // SAFETY: By the requirements.
    unsafe { &raw mut (*skb).__bindgen_anon_4 }.cast()
}

/// # Safety
///
/// See the module.
#[inline]
pub(super) unsafe fn clear_headers(skb: *mut sk_buff) {
    // SAFETY: By the requirements; zeroes are valid for all fields.
    unsafe { headers(skb).write_bytes(0, 1) };
}

/// # Safety
///
/// See the module.
#[inline]
pub(super) unsafe fn set_dev(skb: *mut sk_buff, dev: *mut net_device) {
    // SAFETY: By the requirements.
    unsafe {
        (*skb)
            .__bindgen_anon_1
            .__bindgen_anon_1
            .__bindgen_anon_1
            .dev = dev.cast()
    };
}

/// Returns the next buffer, and takes this one off its list.
///
/// # Safety
///
/// See the module.
#[inline]
pub(super) unsafe fn take_next(skb: *mut sk_buff) -> *mut sk_buff {
    // SAFETY: By the requirements.
    unsafe {
        let next = (*skb).__bindgen_anon_1.__bindgen_anon_1.next;
        (*skb).__bindgen_anon_1.__bindgen_anon_1.next = null_mut();
        (*skb).__bindgen_anon_1.__bindgen_anon_1.prev = null_mut();
        next
    }
}

/// # Safety
///
/// See the module.
#[inline]
pub(super) unsafe fn next(skb: *mut sk_buff) -> *mut sk_buff {
    // SAFETY: By the requirements.
    unsafe { (*skb).__bindgen_anon_1.__bindgen_anon_1.next }
}

/// # Safety
///
/// See the module.
#[inline]
pub(super) unsafe fn set_next(skb: *mut sk_buff, next: *mut sk_buff) {
    // SAFETY: By the requirements.
    unsafe { (*skb).__bindgen_anon_1.__bindgen_anon_1.next = next };
}

/// Returns the destination, with its flag.
///
/// # Safety
///
/// See the module.
#[inline]
pub(super) unsafe fn refdst(skb: *mut sk_buff) -> c_ulong {
    // SAFETY: By the requirements.
    unsafe { (*skb).__bindgen_anon_3.__bindgen_anon_1._skb_refdst }
}

/// Takes away what is not counted: the device, links of lists, a borrowed destination.
///
/// # Safety
///
/// See the module.
#[inline]
pub(super) unsafe fn detach(skb: *mut sk_buff) {
    // SAFETY: By the requirements.
    unsafe {
        take_next(skb);
        set_dev(skb, null_mut());
        // CAST: From 32 bits to at least as many.
        if refdst(skb) & bindings::SKB_DST_NOREF as c_ulong != 0 {
            (*skb).__bindgen_anon_3.__bindgen_anon_1._skb_refdst = 0;
        }
    }
}

/// Returns how far behind the start of the buffer its data starts.
///
/// # Safety
///
/// See the module.
#[inline]
pub(super) unsafe fn headroom(skb: *mut sk_buff) -> usize {
    // SAFETY: By the requirements.
    unsafe { ((*skb).data as usize).wrapping_sub((*skb).head as usize) }
}

/// Returns how far behind the start of the buffer the first piece ends.
///
/// # Safety
///
/// See the module.
#[inline]
pub(super) unsafe fn tail(skb: *mut sk_buff) -> usize {
    // SAFETY: By the requirements.
    let tail = unsafe { (*skb).tail } as usize;
    #[cfg(not(CONFIG_64BIT))]
    // SAFETY: As above.
    let tail = tail.wrapping_sub(unsafe { (*skb).head } as usize);
    tail
}

/// Returns how far behind the start of the buffer the room behind the first piece ends.
///
/// # Safety
///
/// See the module.
#[inline]
pub(super) unsafe fn end(skb: *mut sk_buff) -> usize {
    // SAFETY: By the requirements.
    let end = unsafe { (*skb).end } as usize;
    #[cfg(not(CONFIG_64BIT))]
    // SAFETY: As above.
    let end = end.wrapping_sub(unsafe { (*skb).head } as usize);
    end
}

/// # Safety
///
/// See the module.
#[inline]
pub(super) unsafe fn shared_info(skb: *mut sk_buff) -> *mut bindings::skb_shared_info {
    // SAFETY: By the requirements. The structure follows the buffer.
    unsafe { (*skb).head.add(end(skb)).cast() }
}

/// Returns whether there are other owners of the data.
///
/// # Safety
///
/// See the module.
#[inline]
pub(super) unsafe fn is_cloned(skb: *mut sk_buff) -> bool {
    // SAFETY: By the requirements.
    if unsafe { (*skb).cloned() } == 0 {
        return false;
    }
    // SAFETY: As above; other owners may change the count, hence the volatile read.
    let count = unsafe { (&raw const (*shared_info(skb)).dataref.counter).read_volatile() };
    // The upper half counts those that do without the headers.
    count & 0xffff != 1
}

/// Moves the data of an empty buffer.
///
/// # Safety
///
/// See the module; there must be so much room.
#[inline]
pub(super) unsafe fn reserve(skb: *mut sk_buff, n: usize) {
    // SAFETY: By the requirements.
    unsafe {
        (*skb).data = (*skb).data.add(n);
        (*skb).tail = (*skb).tail.wrapping_add(n as _);
    }
}

/// # Safety
///
/// See the module; there must be so many bytes in the first piece.
#[inline]
pub(super) unsafe fn pull(skb: *mut sk_buff, n: usize) {
    // SAFETY: By the requirements.
    unsafe {
        (*skb).data = (*skb).data.add(n);
        // CAST: Less than the length.
        (*skb).len = (*skb).len.wrapping_sub(n as u32);
    }
}

/// # Safety
///
/// See the module; there must be so much room in front of the data.
#[inline]
pub(super) unsafe fn push(skb: *mut sk_buff, n: usize) {
    // SAFETY: By the requirements.
    unsafe {
        (*skb).data = (*skb).data.sub(n);
        // CAST: Less than the size of the buffer.
        (*skb).len = (*skb).len.wrapping_add(n as u32);
    }
}

/// Sets the length of a buffer in one piece.
///
/// # Safety
///
/// See the module; the buffer must be in one piece, and have room for `len` bytes.
#[inline]
pub(super) unsafe fn set_len(skb: *mut sk_buff, len: u32) {
    // SAFETY: By the requirements.
    unsafe {
        let old = (*skb).len;
        (*skb).len = len;
        // CAST: The type of `tail` depends on the architecture; the difference is small.
        (*skb).tail = (*skb).tail.wrapping_add(len as _).wrapping_sub(old as _);
    }
}

/// Lets the link and network headers start where the data does.
///
/// # Safety
///
/// See the module.
#[inline]
pub(super) unsafe fn reset_link_headers(skb: *mut sk_buff) {
    // SAFETY: By the requirements.
    unsafe {
        // CAST: Headers start within the first 64 kB, here as in C.
        let at = headroom(skb) as u16;
        let headers = headers(skb);
        (*headers).mac_header = at;
        (*headers).network_header = at;
        (*skb).mac_len = 0;
    }
}

/// Checks that a `C` can lie in the control block.
pub(super) const fn assert_cb_fits<C>() {
    assert!(size_of::<C>() <= 48, "the control block has 48 bytes");
    assert!(
        align_of::<C>() <= 8,
        "the control block is aligned to 8 bytes"
    );
}

/// Returns the control block.
///
/// # Safety
///
/// See the module; any bytes must be a `C`, and the bytes of any `C` be initialised.
#[inline]
pub(super) unsafe fn cb_mut<'a, C>(skb: *mut sk_buff) -> &'a mut C {
    const { assert_cb_fits::<C>() };
    // SAFETY: By the requirements.
    unsafe { &mut *(&raw mut (*skb).cb).cast::<C>() }
}
