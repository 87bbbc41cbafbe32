// SPDX-License-Identifier: GPL-2.0

//! Files that show the state of a driver to root.
//!
//! The kernel crate's `debugfs` makes files whose operations lie in the module without holding it, so
//! that closing one after the module has gone is a use of freed memory. These files have only short
//! operations, which C does not look at any more once a file is removed.
//!
//! C header: [`include/linux/debugfs.h`](srctree/include/linux/debugfs.h)

use crate::bindings;
use core::{
    fmt::Write,
    ptr::null_mut, //
};
use kernel::{
    bindings::{
        debugfs_short_fops,
        dentry,
        loff_t, //
    },
    debugfs::{
        Reader,
        Writer, //
    },
    ffi::{
        c_char,
        c_void, //
    },
    fmt,
    prelude::*,
    str::Formatter,
    sync::Arc,
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

/// A directory, which goes when it and all handles of what is in it have been dropped.
///
/// Where debugfs is missing or refuses, there is none, and nobody else needs to care.
pub struct Dir(Arc<Entry>);

/// # Invariants
///
/// `dentry` is what C returned for a directory or file that it made, or an error; only the drop
/// removes it.
struct Entry {
    dentry: *mut dentry,
    /// Is not removed before, which would remove this too.
    _parent: Option<Arc<Entry>>,
}

// SAFETY: C locks what it does with an entry, and any thread may do it.
unsafe impl Send for Entry {}
// SAFETY: As above.
unsafe impl Sync for Entry {}

impl Drop for Entry {
    fn drop(&mut self) {
        // SAFETY: By the type invariants; errors are ignored. Waits for those who are reading.
        unsafe { bindings::debugfs_remove(self.dentry) };
    }
}

impl Dir {
    /// Makes a directory at the top.
    pub fn new(name: &CStr) -> Result<Self> {
        Self::create(name, None)
    }

    /// Makes a directory in this one.
    pub fn subdir(&self, name: &CStr) -> Result<Self> {
        Self::create(name, Some(self.0.clone()))
    }

    fn create(name: &CStr, parent: Option<Arc<Entry>>) -> Result<Self> {
        let above = parent.as_ref().map_or(null_mut(), |entry| entry.dentry);
        // SAFETY: The name is a string; the parent is none or one that is there, or an error, which is
        // returned again.
        let dentry = unsafe { bindings::debugfs_create_dir(name.as_char_ptr(), above) };
        // INVARIANT: Made just now.
        let entry = Entry {
            dentry,
            _parent: parent,
        };
        Ok(Self(Arc::new(entry, GFP_KERNEL)?))
    }

    /// Makes a file that shows `value`, in at most [`PAGE_SIZE`](kernel::page::PAGE_SIZE) bytes.
    pub fn read_only_file<T: Writer + Send + Sync + 'static>(
        &self,
        name: &CStr,
        value: Arc<T>,
    ) -> File<T> {
        self.file(name, 0o400, value, &<T as Show>::OPERATIONS)
    }

    /// Makes a file that shows `value`, and that it may be changed by.
    pub fn read_write_file<T: Writer + Reader + Send + Sync + 'static>(
        &self,
        name: &CStr,
        value: Arc<T>,
    ) -> File<T> {
        self.file(name, 0o600, value, &<T as Change>::OPERATIONS)
    }

    fn file<T>(
        &self,
        name: &CStr,
        mode: u16,
        value: Arc<T>,
        operations: &'static debugfs_short_fops,
    ) -> File<T> {
        // SAFETY: The name is a string; the directory is there. The operations are for files with a
        // `T`, which lives until the file has been removed.
        let dentry = unsafe {
            bindings::debugfs_create_file(
                name.as_char_ptr(),
                mode,
                self.0.dentry,
                Arc::as_ptr(&value).cast_mut().cast(),
                operations,
            )
        };
        File {
            // INVARIANT: Made just now.
            _entry: Entry {
                dentry,
                _parent: Some(self.0.clone()),
            },
            _value: value,
        }
    }
}

/// A file that shows a `T`, until it is dropped.
///
/// Who still has it open then reads `EIO`; the drop waits for reads that have begun, so it needs
/// process context.
pub struct File<T> {
    /// Before the value, as fields are dropped in this order.
    _entry: Entry,
    _value: Arc<T>,
}

/// The operations of a file that is read.
trait Show {
    const OPERATIONS: debugfs_short_fops;
}

impl<T: Writer + Send + Sync + 'static> Show for T {
    const OPERATIONS: debugfs_short_fops = debugfs_short_fops {
        read: Some(read::<T>),
        write: None,
        llseek: Some(kernel::bindings::default_llseek),
    };
}

/// The operations of a file that is written, too.
trait Change {
    const OPERATIONS: debugfs_short_fops;
}

impl<T: Writer + Reader + Send + Sync + 'static> Change for T {
    const OPERATIONS: debugfs_short_fops = debugfs_short_fops {
        write: Some(write::<T>),
        ..<T as Show>::OPERATIONS
    };
}

/// The longest text that a file can show.
const MAX_TEXT: usize = kernel::page::PAGE_SIZE;

/// Lets a [`Writer`] be written like any value.
struct Shown<'a, T>(&'a T);

impl<T: Writer> fmt::Display for Shown<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f)
    }
}

/// Returns what an open file is about.
///
/// # Safety
///
/// The file must be one made by [`Dir::file`] with a `T`, and must not be removed during `'a`.
unsafe fn value_of<'a, T>(file: *mut kernel::bindings::file) -> &'a T {
    // SAFETY: By the requirements, the file is open.
    let value = unsafe { (*file).private_data }.cast::<T>();
    // SAFETY: C set the pointer, when the file was opened, to what it was made with.
    unsafe { &*value }
}

/// # Safety
///
/// Only for files made by [`Dir::file`] with a `T`, which C keeps from being removed meanwhile.
unsafe extern "C" fn read<T: Writer + Send + Sync + 'static>(
    file: *mut kernel::bindings::file,
    buf: *mut c_char,
    size: usize,
    offset: *mut loff_t,
) -> isize {
    // SAFETY: By the requirements.
    let value = unsafe { value_of::<T>(file) };
    // SAFETY: The position is the caller's.
    let offset = unsafe { &mut *offset };
    // Each read writes all of it anew, so only one with room for all is of one moment.
    let text = KBox::init(pin_init::zeroed::<[u8; MAX_TEXT]>(), GFP_KERNEL);
    let Ok(mut text) = text else {
        return ENOMEM.to_errno() as isize;
    };
    let mut formatter = Formatter::new(&mut *text);
    if formatter.write_fmt(fmt!("{}", Shown(value))).is_err() {
        return EFBIG.to_errno() as isize;
    }
    let len = formatter.bytes_written();
    let mut user = UserSlice::new(UserPtr::from_ptr(buf.cast::<c_void>()), size).writer();
    match user.write_slice_file(text.get(..len).unwrap_or_default(), offset) {
        // CAST: At most as long as the text.
        Ok(n) => n as isize,
        Err(e) => e.to_errno() as isize,
    }
}

/// # Safety
///
/// As for [`read`].
unsafe extern "C" fn write<T: Reader + Send + Sync + 'static>(
    file: *mut kernel::bindings::file,
    buf: *const c_char,
    size: usize,
    _offset: *mut loff_t,
) -> isize {
    // SAFETY: By the requirements.
    let value = unsafe { value_of::<T>(file) };
    let user = UserPtr::from_ptr(buf.cast_mut().cast::<c_void>());
    match value.read_from_slice(&mut UserSlice::new(user, size).reader()) {
        // CAST: C asks for no more than a signed number holds.
        Ok(()) => size as isize,
        Err(e) => e.to_errno() as isize,
    }
}
