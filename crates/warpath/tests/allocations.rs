//! What a lookup allocates: two columns for a batch, nothing for a path.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use warpath::{Device, FileType, GpuFilesystem, Options, PathBatch, PathBuffer};

struct Counting;

static N_BYTES: AtomicUsize = AtomicUsize::new(0);
static N_TIMES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        N_BYTES.fetch_add(layout.size(), Ordering::SeqCst);
        N_TIMES.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the caller's duties are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Times and bytes that `work` allocates.
fn allocated<T>(work: impl FnOnce() -> T) -> (usize, usize) {
    let before = (N_TIMES.load(Ordering::SeqCst), N_BYTES.load(Ordering::SeqCst));
    let result = work();
    let after = (N_TIMES.load(Ordering::SeqCst), N_BYTES.load(Ordering::SeqCst));
    drop(result);
    (after.0 - before.0, after.1 - before.1)
}

/// The least of several calls, so that what a thread makes once, when work first comes to it, does not count.
fn least_allocated<T>(work: impl Fn() -> T) -> (usize, usize) {
    (0..20).map(|_| allocated(&work)).min_by_key(|(_, n_bytes)| *n_bytes).unwrap()
}

// One test, so that no other allocates meanwhile.
#[test]
fn a_batch_allocates_its_two_columns_and_a_path_nothing() {
    let fs = GpuFilesystem::new(&Device::cpu(), 0).unwrap();
    let d = fs.add_file(0, "directory", FileType::Directory).unwrap();
    for i in 0..100 {
        fs.add_file(d, format!("{i}"), FileType::Regular).unwrap();
    }
    for n in [100, 1_000, 1_000_000] {
        let paths: PathBuffer = (0..n).map(|i| format!("/directory/{}", i % 150)).collect();
        let mut offsets = vec![0u32];
        let mut bytes: Vec<u8> = Vec::new();
        for path in paths.as_batch().iter() {
            bytes.extend_from_slice(path);
            offsets.push(bytes.len() as u32);
        }
        let resolve = || fs.resolve(PathBatch::new(&bytes, &offsets).unwrap(), &Options::default()).unwrap();
        let (n_times, n_bytes) = least_allocated(resolve);
        assert!(
            n_bytes >= 5 * n && n_bytes <= 5 * n + 4096,
            "{n} paths: {n_bytes} bytes in {n_times} pieces"
        );
    }
    #[cfg(feature = "arrow")]
    an_arrow_column_allocates_two_columns(&fs);
    fs.lookup_path("/directory/7").unwrap();
    assert_eq!(allocated(|| fs.lookup_path("/directory/7")), (0, 0));
    assert_eq!(allocated(|| fs.lookup_path("/directory/missing")), (0, 0));
}

/// Called by the test above: one test, as said there.
#[cfg(feature = "arrow")]
fn an_arrow_column_allocates_two_columns(fs: &GpuFilesystem) {
    use arrow_array::{LargeStringArray, StringArray, StringViewArray};

    let n = 1_000_000;
    let paths = |n_names: usize| (0..n).map(move |i| format!("/directory/{}", i % n_names));
    // What is not found is null: a bit a path more.
    for (n_names, bits) in [(100, 0), (150, n / 8)] {
        let small = StringArray::from_iter_values(paths(n_names));
        let large = LargeStringArray::from_iter_values(paths(n_names));
        let flat: [&dyn arrow_array::Array; 2] = [&small, &large];
        for column in flat {
            let (n_times, n_bytes) =
                least_allocated(|| fs.resolve_arrow(column, &Options::default()).unwrap());
            let columns = 5 * n + bits;
            assert!(
                n_bytes >= columns && n_bytes <= columns + 4096,
                "{}: {n_bytes} bytes in {n_times} pieces",
                column.data_type()
            );
        }
        // Views lie in pieces: a table of 1 MiB more, whatever the column's length.
        let views = StringViewArray::from_iter_values(paths(n_names));
        let (_, n_bytes) = allocated(|| fs.resolve_arrow(&views, &Options::default()).unwrap());
        assert!(n_bytes <= 5 * n + bits + (1 << 20) + 4096, "views: {n_bytes} bytes");
    }
}
