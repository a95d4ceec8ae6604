//! The kernels on the CPU, by `emulator/emulator.cpp`: the conformance suite and hostile tables without a GPU.
//!
//! Needs g++; without it each test is a visible skip. `EMULATOR` may name a library that was built otherwise, as with a sanitizer.

use crate::hints::{Hints, HintsArg};
use crate::kernels::{ANSWERED, BLOCK, DIRECT_BLOCK, NearKeys, PENDING, PackedArg, SLOT_TEXT, TablesArg};
use crate::pack;
use libloading::Library;
use std::ffi::{CString, c_char, c_int, c_void};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};
use warpath_conformance::suite::{Config, Part, run_part};
use warpath_core::batch::PathBuffer;
use warpath_core::index::{Plan, Tables};
use warpath_core::layout::{self, QueryParams};
use warpath_core::{
    Engine, EngineError, EngineInfo, Index, Namespace, Outcomes, OutcomesMut, PathBatch, ROOT,
};
use warpath_engine_cpu::{Isa, keys};

#[path = "../tests/hostile/mod.rs"]
mod hostile;

type Emulate = unsafe extern "C" fn(*const c_char, u32, u32, *mut *mut c_void) -> c_int;

/// The emulator, which runs one kernel at a time.
fn emulator() -> Option<&'static Mutex<Library>> {
    static LIBRARY: OnceLock<Option<Mutex<Library>>> = OnceLock::new();
    let library = LIBRARY.get_or_init(|| {
        let path = match std::env::var("EMULATOR") {
            Ok(path) => path.into(),
            Err(_) => {
                let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
                let to = std::env::temp_dir().join(format!("warpath-emulator-{}.so", std::process::id()));
                let built = Command::new("g++")
                    .args([
                        "-std=c++17",
                        "-O2",
                        "-shared",
                        "-fPIC",
                        "-Wno-unknown-pragmas",
                        "-I../warpath-layout/generated",
                    ])
                    .args(["emulator/emulator.cpp", "-o"])
                    .arg(&to)
                    .current_dir(folder)
                    .status();
                match built {
                    Ok(status) => assert!(status.success(), "the emulator does not compile"),
                    Err(_) => return None,
                }
                to
            }
        };
        // SAFETY: the library has no initialisers that do anything but fill its own memory.
        Some(Mutex::new(unsafe { Library::new(path) }.unwrap()))
    });
    library.as_ref()
}

/// The ways of the kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Paths32,
    Paths64,
    /// As `Paths32`, with hints that say too much.
    Doubtful,
    Few,
    Keys,
}

const WAYS: [Way; 5] = [Way::Paths32, Way::Paths64, Way::Doubtful, Way::Few, Way::Keys];

/// The tables' hints, made by the kernel that makes them on a device.
#[derive(Default)]
struct Noted {
    version: Option<(u64, u64)>,
    reach: Vec<u32>,
    passages: Vec<u32>,
}

struct Emulated {
    way: Way,
    noted: Mutex<Noted>,
}

fn address<T>(values: &[T]) -> u64 {
    values.as_ptr() as u64
}

/// Runs a kernel on `n_blocks` blocks.
fn launch(name: &str, n_blocks: u32, block: u32, args: &mut [*mut c_void]) {
    let Some(library) = emulator() else { return };
    let library = library.lock().unwrap_or_else(PoisonError::into_inner);
    let name = CString::new(name).unwrap();
    // SAFETY: the function has this type, and the arguments are the kernel's.
    let code = unsafe {
        library.get::<Emulate>(b"emulate").unwrap()(name.as_ptr(), n_blocks, block, args.as_mut_ptr())
    };
    assert_eq!(code, 0);
}

fn arg<T>(value: &mut T) -> *mut c_void {
    std::ptr::from_mut(value).cast()
}

/// What a launch is told.
struct Job {
    tables: TablesArg,
    near: NearKeys,
    query: QueryParams,
}

impl Emulated {
    fn new(way: Way) -> Emulated {
        Emulated { way, noted: Mutex::default() }
    }

    fn job(&self, noted: &mut Noted, tables: &Tables, plan: &Plan) -> Job {
        let links = plan.links.as_ref().map_or(tables.links(), |links| &links.records);
        let mut params = tables.params();
        let mut arg_of = TablesArg {
            slots: address(tables.slots()),
            blocks: address(tables.blocks()),
            dirs: address(tables.dirs()),
            links: address(tables.links()),
            plain_links: address(tables.links()),
            key: address(tables.key_words()),
            hints: HintsArg::default(),
            params,
        };
        if noted.version != Some((tables.id(), tables.version())) {
            let (reach, passages) = Hints::words(&params);
            *noted = Noted {
                version: Some((tables.id(), tables.version())),
                reach: vec![0; reach],
                passages: vec![0; passages],
            };
            arg_of.hints = hints_of(noted);
            let (mut first, mut n) = (0u64, tables.slots().len() as u64);
            launch("note_slots", 3, BLOCK, &mut [arg(&mut arg_of), arg(&mut first), arg(&mut n)]);
            if self.way == Way::Doubtful {
                let mut word = 1u32;
                for noted in noted.reach.iter_mut().chain(&mut noted.passages) {
                    word = word.wrapping_mul(0x915F_77F5).wrapping_add(12345);
                    *noted |= word & word.rotate_left(7);
                }
            }
        }
        arg_of.hints = hints_of(noted);
        arg_of.links = address(links);
        params.n_links = params.n_links.min(links.len() as u32);
        arg_of.params = params;
        let query = QueryParams { n_paths: 0, start: plan.start, flags: plan.flags, first: 0 };
        Job { tables: arg_of, near: NearKeys::new(tables.key_words()), query }
    }
}

fn hints_of(noted: &Noted) -> HintsArg {
    HintsArg {
        reach: address(&noted.reach),
        passages: address(&noted.passages),
        n_passage_words: noted.passages.len() as u64,
    }
}

impl Job {
    fn walks_all(&self) -> bool {
        self.query.flags & layout::QUERY_WALK_ONLY != 0
            || self.tables.params.flags & layout::TABLE_STRICT != 0
    }

    fn paths(&mut self, batch: &PathBatch<'_>, wide: bool, out: &mut OutcomesMut<'_>) {
        // The text begins anywhere, and nothing beside it may be read.
        let before = batch.len() % 16;
        let mut text = vec![0u8; before];
        let mut offsets = vec![0u64];
        for path in batch.iter() {
            text.extend_from_slice(path);
            offsets.push((text.len() - before) as u64);
        }
        text.shrink_to_fit();
        let narrow: Vec<u32> = offsets.iter().map(|&offset| offset as u32).collect();
        self.query.n_paths = batch.len() as u32;
        let mut bytes = address(&text) + before as u64;
        let mut offsets = if wide { address(&offsets) } else { address(&narrow) };
        let (mut inodes, mut statuses) = (address(out.inodes), address(out.statuses));
        let mut pending_word = 0u32;
        let mut pending = std::ptr::from_mut(&mut pending_word) as u64;
        let mut args = [
            arg(&mut self.tables),
            arg(&mut self.near),
            arg(&mut self.query),
            arg(&mut bytes),
            arg(&mut offsets),
            arg(&mut inodes),
            arg(&mut statuses),
            arg(&mut pending),
        ];
        let walks_all = self.query.flags & layout::QUERY_WALK_ONLY != 0
            || self.tables.params.flags & layout::TABLE_STRICT != 0;
        if !walks_all {
            let n_blocks = (batch.len() as u32).div_ceil(DIRECT_BLOCK);
            let name = if wide { "direct_paths64" } else { "direct_paths32" };
            launch(name, n_blocks, DIRECT_BLOCK, &mut args);
        }
        // Fewer blocks than there is work, so that warps go round.
        let n_blocks = (batch.len() as u32 / 700).clamp(1, 3);
        launch(if wide { "walk_paths64" } else { "walk_paths32" }, n_blocks, BLOCK, &mut args);
    }

    fn few(&mut self, batch: &PathBatch<'_>, out: &mut OutcomesMut<'_>) {
        let longest = batch.iter().map(<[u8]>::len).max().unwrap_or(0);
        let mut stride = (longest + SLOT_TEXT).next_multiple_of(16) as u32;
        let mut words = vec![0u128; batch.len() * stride as usize / 16];
        let slots: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
        for (slot, path) in slots.chunks_exact_mut(stride as usize).zip(batch.iter()) {
            let head = u64::from(self.query.start) << 32 | path.len() as u64;
            slot[..SLOT_TEXT].copy_from_slice(&head.to_le_bytes());
            slot[SLOT_TEXT..SLOT_TEXT + path.len()].copy_from_slice(path);
        }
        let mut answers = vec![0u64; batch.len()];
        self.query.n_paths = batch.len() as u32;
        let (mut from, mut to) = (address(&words), answers.as_mut_ptr() as u64);
        let mut args = [
            arg(&mut self.tables),
            arg(&mut self.near),
            arg(&mut self.query),
            arg(&mut from),
            arg(&mut stride),
            arg(&mut to),
        ];
        launch("resolve_few", batch.len() as u32, 32, &mut args);
        for (i, word) in answers.into_iter().enumerate() {
            assert!((word >> 32) as u32 & ANSWERED != 0);
            out.inodes[i] = word as u32;
            out.statuses[i] = (word >> 32) as u8;
        }
    }

    fn keys(&mut self, tables: &Tables, plan: &Plan, batch: &PathBatch<'_>, out: &mut OutcomesMut<'_>) {
        let mut words = vec![[0u32; 3]; batch.len()];
        keys(Isa::best(), &tables.view(), plan, batch, &mut words);
        self.query.n_paths = batch.len() as u32;
        let (mut from, mut inodes, mut statuses) =
            (address(&words), address(out.inodes), address(out.statuses));
        let mut args = [
            arg(&mut self.tables),
            arg(&mut self.query),
            arg(&mut from),
            arg(&mut inodes),
            arg(&mut statuses),
        ];
        launch("resolve_keys", 2, BLOCK, &mut args);
        let missed: Vec<usize> = (0..batch.len()).filter(|&i| out.statuses[i] == PENDING).collect();
        if missed.is_empty() {
            return;
        }
        let paths: Vec<&[u8]> = missed.iter().map(|&i| batch.get(i)).collect();
        let (mut inodes, mut statuses) = (vec![0; missed.len()], vec![0; missed.len()]);
        self.paths(
            &PathBatch::from_slices(&paths),
            false,
            &mut OutcomesMut { inodes: &mut inodes, statuses: &mut statuses },
        );
        for ((&i, inode), status) in missed.iter().zip(inodes).zip(statuses) {
            (out.inodes[i], out.statuses[i]) = (inode, status);
        }
    }
}

impl Engine for Emulated {
    fn info(&self) -> EngineInfo {
        EngineInfo { name: "emulated", device: format!("{:?}", self.way) }
    }

    fn resolve(
        &self,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        mut out: OutcomesMut<'_>,
    ) -> Result<(), EngineError> {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut job = self.job(&mut noted, tables, plan);
        let small = batch.len() <= 1024 && batch.iter().all(|path| path.len() < 4096);
        match self.way {
            _ if batch.is_empty() => {}
            Way::Few if small => job.few(batch, &mut out),
            Way::Keys if !job.walks_all() => job.keys(tables, plan, batch, &mut out),
            way => job.paths(batch, way == Way::Paths64, &mut out),
        }
        Ok(())
    }
}

fn skipped() -> bool {
    let none = emulator().is_none();
    if none {
        let _ = writeln!(std::io::stderr(), "SKIPPED: no g++ here to build the emulator with");
    }
    none
}

/// Random cases a way; the environment's `N_RANDOM` asks for more.
fn n_random() -> u64 {
    std::env::var("N_RANDOM").map_or(1000, |n| n.parse().unwrap())
}

#[test]
fn the_kernels_answer_as_the_reference_does() {
    if skipped() {
        return;
    }
    for way in WAYS {
        let config = Config { n_random: n_random(), ..Config::default() };
        let whole = matches!(way, Way::Paths32 | Way::Few);
        let parts: &[Part] =
            if whole { &[Part::Cases, Part::Random, Part::Fingerprints] } else { &[Part::Random] };
        for &part in parts {
            if let Err(failure) = run_part(part, &|| Ok(Box::new(Emulated::new(way))), &config) {
                panic!("{way:?} {part:?}: {failure}");
            }
        }
    }
}

#[test]
fn packed_paths_are_made_whole() {
    if skipped() {
        return;
    }
    for n in [1, 2, 31, 32, 33, 64, 700] {
        let paths: PathBuffer = (0..n)
            .map(|i| match i % 11 {
                0 => String::new(),
                1 => format!("/{}", "y".repeat(i % 250)),
                2 | 3 => "/a/directory/that/is/shared/12345678".into(),
                _ => format!("/a/directory/that/is/shared/{}/file-{i}", i / 20),
            })
            .collect();
        let batch = paths.as_batch();
        let mut words = vec![0u128; pack::Layout::most_bytes(n, batch.n_bytes()).div_ceil(16)];
        let (layout, _) = pack::pack(&batch, bytemuck::cast_slice_mut(&mut words)).unwrap();
        let mut packed = PackedArg::new(address(&words), &layout);
        let (mut text, mut offsets) = (vec![0xEEu8; batch.n_bytes() + 1], vec![7u32; n + 2]);
        let (mut to, mut offsets_to) = (text.as_mut_ptr() as u64, offsets.as_mut_ptr() as u64);
        launch("unpack", 2, BLOCK, &mut [arg(&mut packed), arg(&mut to), arg(&mut offsets_to)]);
        assert_eq!(offsets.pop(), Some(0), "the word behind the offsets");
        assert_eq!(text.pop(), Some(0xEE), "nothing is written behind the text");
        let whole = PathBatch::new(&text, &offsets).unwrap();
        assert_eq!(whole.iter().collect::<Vec<_>>(), batch.iter().collect::<Vec<_>>());
    }
}

#[test]
fn lengths_that_wrap_stay_in_bounds() {
    if skipped() {
        return;
    }
    let mut namespace = Namespace::new();
    let directory = namespace.add_directory(ROOT, "d").unwrap();
    namespace.add_symlink(ROOT, "l", "/d").unwrap();
    let index = Index::build(namespace).unwrap();
    let name = "f".repeat(20);
    let paths = [name.clone(), format!("/l/{name}"), "d/".repeat(100), format!("l/{name}"), name.repeat(5)];
    let paths: Vec<&[u8]> = paths.iter().map(String::as_bytes).collect();
    for length in [0x7FFF_FFFF, 0xFFFF_FE00, 0xFFFF_FFF0, 0xFFFF_FFFF] {
        let mut parts = index.tables().to_parts();
        parts.dirs.vec().iter_mut().for_each(|record| record.length = length);
        let tables = Tables::from_parts(parts).unwrap();
        for (way, start) in WAYS.into_iter().flat_map(|way| [(way, directory), (way, ROOT)]) {
            let plan = Plan { start, flags: 0, links: None };
            let mut outcomes = Outcomes::with_len(paths.len());
            let batch = PathBatch::from_slices(&paths);
            Emulated::new(way).resolve(&tables, &plan, &batch, outcomes.as_mut()).unwrap();
            for (i, path) in paths.iter().enumerate() {
                let right = warpath_core::resolve::walk(&tables.view(), &plan, path);
                assert_eq!(outcomes.get(i), right, "{way:?}, length {length:#x}, path {i}");
            }
        }
    }
}

#[test]
fn hostile_tables_end_in_answers() {
    if skipped() {
        return;
    }
    for way in WAYS {
        assert!(hostile::ask(&Emulated::new(way), 1, 2 + n_random() / 250).unwrap() > 0);
    }
}
