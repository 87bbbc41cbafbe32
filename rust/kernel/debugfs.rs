// SPDX-License-Identifier: GPL-2.0

//! Files in debugfs that show the state of a driver to root.
//!
//! The operations of the files that the `kernel` crate makes lie in the module without holding it:
//! closing such a file after the module was unloaded uses freed memory. The files here have
//! `debugfs_short_fops`, which C does not look at any more once it has removed the file.
//!
//! C header: [`include/linux/debugfs.h`](srctree/include/linux/debugfs.h)

use crate::bindings::{
    debugfs_short_fops,
    dentry,
    loff_t, //
};
use crate::{
    bindings,
    context::Process,
    new_mutex,
    sync::{
        lock::Mutex,
        rcu::{
            reclaim::may_wait,
            ModuleRef, //
        }, //
    }, //
};
use core::{
    fmt::Write,
    mem::ManuallyDrop,
    ptr::null_mut, //
};
use kernel::{
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

/// A directory in debugfs, removed when it and all handles of its contents have been dropped.
///
/// Without debugfs, or if C refuses, no directory or file exists. Callers need not check.
pub struct Dir(Arc<Entry<()>>);

/// A directory or file, with the values that C uses until it is removed.
///
/// The drop removes it and waits for readers. In atomic context the drop leaks it instead, with a
/// warning, together with everything that it holds.
///
/// # Invariants
///
/// `dentry` is what C returned for a directory or file that it made, or an error; only the drop
/// removes it.
struct Entry<V> {
    dentry: *mut dentry,
    held: ManuallyDrop<EntryData<V>>,
}

/// The values that an entry keeps until it is removed.
struct EntryData<V> {
    /// What a file shows.
    _value: V,
    /// The directory above. Removing that would remove this entry too.
    _parent: Option<Arc<Entry<()>>>,
    /// C calls the operations of files, which have no owner to keep the module.
    _module: ModuleRef,
}

// SAFETY: C does its own locking, and any thread may remove an entry and drop the value.
unsafe impl<V: Send> Send for Entry<V> {}
// SAFETY: As above. A shared entry gives no access to the value.
unsafe impl<V: Sync> Sync for Entry<V> {}

impl<V> Entry<V> {
    /// Stores what the entry keeps, then calls `make`, by which C creates the entry.
    fn new(
        value: V,
        parent: Option<Arc<Entry<()>>>,
        make: impl FnOnce(&V, *mut dentry) -> *mut dentry,
    ) -> Result<Self> {
        let held = EntryData {
            _value: value,
            _parent: parent,
            _module: ModuleRef::get()?,
        };
        let above = held
            ._parent
            .as_ref()
            .map_or(null_mut(), |entry| entry.dentry);
        // INVARIANT: `make`, one of the closures below, returns what C returned.
        Ok(Self {
            dentry: make(&held._value, above),
            held: ManuallyDrop::new(held),
        })
    }
}

impl<V> Drop for Entry<V> {
    fn drop(&mut self) {
        if kernel::warn_on!(!may_wait()) {
            // The leaked module reference keeps the module loaded.
            return;
        }
        // SAFETY: By the type invariants; errors are ignored. Waits for readers.
        unsafe { bindings::debugfs_remove(self.dentry) };
        // SAFETY: `held` is not used again.
        unsafe { ManuallyDrop::drop(&mut self.held) };
    }
}

impl Dir {
    /// Makes a directory at the top of debugfs.
    pub fn new(name: &CStr, process: &mut Process) -> Result<Self> {
        Self::create(name, None, process)
    }

    /// Makes a directory in this one.
    pub fn subdir(&self, name: &CStr, process: &mut Process) -> Result<Self> {
        Self::create(name, Some(self.0.clone()), process)
    }

    fn create(name: &CStr, parent: Option<Arc<Entry<()>>>, _process: &mut Process) -> Result<Self> {
        let entry = Entry::new((), parent, |(), above| {
            // SAFETY: The name is a string; the parent is none or one that is there, or an error,
            // which is returned again. The thread may sleep.
            unsafe { bindings::debugfs_create_dir(name.as_char_ptr(), above) }
        })?;
        Ok(Self(Arc::new(entry, GFP_KERNEL)?))
    }

    /// Makes a file that shows `value`, in at most [`PAGE_SIZE`](kernel::page::PAGE_SIZE) bytes of
    /// text.
    pub fn read_only_file<T: Writer + Send + Sync + 'static>(
        &self,
        name: &CStr,
        value: Arc<T>,
        process: &mut Process,
    ) -> Result<File<T>> {
        self.file(name, 0o400, value, &<T as ReadOps>::OPERATIONS, process)
    }

    /// Makes a file that shows `value` to readers, and that changes it when it is written.
    pub fn read_write_file<T: Writer + Reader + Send + Sync + 'static>(
        &self,
        name: &CStr,
        value: Arc<T>,
        process: &mut Process,
    ) -> Result<File<T>> {
        self.file(
            name,
            0o600,
            value,
            &<T as ReadWriteOps>::OPERATIONS,
            process,
        )
    }

    fn file<T>(
        &self,
        name: &CStr,
        mode: u16,
        value: Arc<T>,
        operations: &'static debugfs_short_fops,
        _process: &mut Process,
    ) -> Result<File<T>> {
        let shown = KBox::pin_init(Shown::new(value), GFP_KERNEL)?;
        let entry = Entry::new(shown, Some(self.0.clone()), |shown, above| {
            // SAFETY: The name is a string; the directory is there. The operations are for files
            // with a `Shown<T>`, which lives until the file has been removed. The thread may sleep.
            unsafe {
                bindings::debugfs_create_file(
                    name.as_char_ptr(),
                    mode,
                    above,
                    (&raw const **shown).cast_mut().cast(),
                    operations,
                )
            }
        })?;
        Ok(File { _entry: entry })
    }
}

/// A file in debugfs that shows a `T`. The drop removes the file.
///
/// A program that still has it open then reads `EIO`. The drop waits for reads that have begun.
pub struct File<T> {
    _entry: Entry<Pin<KBox<Shown<T>>>>,
}

/// What a file shows, and the texts that were read from it last.
#[pin_data]
struct Shown<T> {
    value: Arc<T>,
    #[pin]
    texts: Mutex<Texts>,
}

impl<T> Shown<T> {
    fn new(value: Arc<T>) -> impl PinInit<Self> {
        pin_init!(Self {
            value,
            texts <- new_mutex!(Texts::default()),
        })
    }
}

/// How many programs may read a file in parts at once.
const READERS: usize = 4;

/// The text of a file at some moment.
struct Formatted {
    bytes: KBox<[u8; MAX_TEXT]>,
    len: usize,
}

/// The texts that were read last, by the address of the open file.
///
/// Later parts of a text come from here, as with `simple_attr_read()`. A text that has grown
/// meanwhile would be cut in the wrong place. The operations have no `open()`, so an open file has
/// no place of its own; one that has the address of a closed file and begins in the middle gets the
/// text of that.
#[derive(Default)]
struct Texts {
    read: [Option<(usize, Arc<Formatted>)>; READERS],
    /// Which one is replaced next.
    oldest: usize,
}

impl Texts {
    fn find(&self, reader: usize) -> Option<Arc<Formatted>> {
        let mut read = self.read.iter().flatten();
        Some(read.find(|(other, _)| *other == reader)?.1.clone())
    }

    fn keep(&mut self, reader: usize, text: Arc<Formatted>) {
        let is_same =
            |read: &Option<(usize, _)>| read.as_ref().is_some_and(|(other, _)| *other == reader);
        let place = self.read.iter().position(is_same).unwrap_or_else(|| {
            let oldest = self.oldest;
            self.oldest = oldest.wrapping_add(1) % READERS;
            oldest
        });
        if let Some(place) = self.read.get_mut(place) {
            *place = Some((reader, text));
        }
    }
}

/// The operations of a file that can be read.
trait ReadOps {
    const OPERATIONS: debugfs_short_fops;
}

impl<T: Writer + Send + Sync + 'static> ReadOps for T {
    const OPERATIONS: debugfs_short_fops = debugfs_short_fops {
        read: Some(read::<T>),
        write: None,
        llseek: Some(crate::bindings::default_llseek),
    };
}

/// The operations of a file that can be read and written.
trait ReadWriteOps {
    const OPERATIONS: debugfs_short_fops;
}

impl<T: Writer + Reader + Send + Sync + 'static> ReadWriteOps for T {
    const OPERATIONS: debugfs_short_fops = debugfs_short_fops {
        write: Some(write::<T>),
        ..<T as ReadOps>::OPERATIONS
    };
}

/// The longest text that a file can show.
const MAX_TEXT: usize = kernel::page::PAGE_SIZE;

/// Implements `Display` for a [`Writer`].
struct Content<'a, T>(&'a T);

impl<T: Writer> fmt::Display for Content<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f)
    }
}

/// Returns what an open file shows.
///
/// # Safety
///
/// The file must be one made by [`Dir::file`] with a `T`, and must not be removed during `'a`.
unsafe fn shown_by<'a, T>(file: *mut crate::bindings::file) -> &'a Shown<T> {
    // SAFETY: By the requirements, the file is open.
    let shown = unsafe { (*file).private_data }.cast::<Shown<T>>();
    // SAFETY: At open C copied the pointer that the file was made with.
    unsafe { &*shown }
}

/// Returns the text of a value.
fn text_of<T: Writer>(value: &T) -> Result<Arc<Formatted>> {
    let mut bytes = KBox::init(pin_init::zeroed::<[u8; MAX_TEXT]>(), GFP_KERNEL)?;
    let mut formatter = Formatter::new(&mut *bytes);
    formatter
        .write_fmt(fmt!("{}", Content(value)))
        .map_err(|_| EFBIG)?;
    let len = formatter.bytes_written();
    Ok(Arc::new(Formatted { bytes, len }, GFP_KERNEL)?)
}

/// # Safety
///
/// Only for files made by [`Dir::file`] with a `T`, which C keeps from being removed meanwhile.
unsafe extern "C" fn read<T: Writer + Send + Sync + 'static>(
    file: *mut crate::bindings::file,
    buf: *mut c_char,
    size: usize,
    offset: *mut loff_t,
) -> isize {
    // SAFETY: By the requirements.
    let shown = unsafe { shown_by::<T>(file) };
    // SAFETY: The position is the caller's.
    let offset = unsafe { &mut *offset };
    // SAFETY: C calls this in process context.
    let mut ctx = unsafe { Process::new() };
    let known = if *offset == 0 {
        None
    } else {
        shown.texts.lock(&mut ctx).find(file.addr())
    };
    let text = match known {
        Some(text) => text,
        None => match text_of(&*shown.value) {
            Ok(text) => {
                shown.texts.lock(&mut ctx).keep(file.addr(), text.clone());
                text
            }
            Err(e) => return e.to_errno() as isize,
        },
    };
    let mut user = UserSlice::new(UserPtr::from_ptr(buf.cast::<c_void>()), size).writer();
    let text = text.bytes.get(..text.len).unwrap_or_default();
    match user.write_slice_file(text, offset) {
        // CAST: At most as long as the text.
        Ok(n) => n as isize,
        Err(e) => e.to_errno() as isize,
    }
}

/// # Safety
///
/// As for [`read`].
unsafe extern "C" fn write<T: Reader + Send + Sync + 'static>(
    file: *mut crate::bindings::file,
    buf: *const c_char,
    size: usize,
    _offset: *mut loff_t,
) -> isize {
    // SAFETY: By the requirements.
    let shown = unsafe { shown_by::<T>(file) };
    let user = UserPtr::from_ptr(buf.cast_mut().cast::<c_void>());
    match shown
        .value
        .read_from_slice(&mut UserSlice::new(user, size).reader())
    {
        // CAST: C asks for no more than a signed number holds.
        Ok(()) => size as isize,
        Err(e) => e.to_errno() as isize,
    }
}

#[kernel::macros::kunit_tests(kext_debugfs)]
mod tests {
    use super::*;
    use crate::sync::rcu;

    struct Nothing;

    impl Writer for Nothing {
        fn write(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Ok(())
        }
    }

    #[test]
    fn files_and_directories_keep_the_module() -> Result {
        // SAFETY: Tests run in process context.
        let mut process = unsafe { Process::new() };
        // Free what other tests have dropped: its module references would change the count.
        for _ in 0..3 {
            rcu::barrier(&mut process);
        }
        let before = ModuleRef::count();
        let dir = Dir::new(c"kext-test", &mut process)?;
        assert_eq!(ModuleRef::count(), before + 1);
        let value = Arc::new(Nothing, GFP_KERNEL)?;
        let file = dir.read_only_file(c"nothing", value, &mut process)?;
        assert_eq!(ModuleRef::count(), before + 2);
        drop(dir);
        assert_eq!(ModuleRef::count(), before + 2);
        drop(file);
        assert_eq!(ModuleRef::count(), before);
        Ok(())
    }
}
