//! The engine on a real driver, against core's scalar resolver: every kernel, every way to cut and send a batch, changes
//! of the index, indexes that lie, and devices that are lost.

mod common;

use common::{Random, assert_same, engine, odd_paths, options, tree};
use warpath_core::batch::PathBuffer;
use warpath_core::{Engine, EngineError, FileType, Index, LookupError, Options, PathBatch, ROOT};
use warpath_engine_wgpu::{Arithmetic, Transfer, Variant, WgpuEngine, WgpuOptions, adapters};

/// Every kernel, with both arithmetics and both ways of transfer.
fn all_options() -> Vec<WgpuOptions> {
    let mut all = Vec::new();
    for variant in Variant::KERNELS {
        for (arithmetic, transfer) in
            [(Arithmetic::Bits32, Transfer::Staged), (Arithmetic::Bits64, Transfer::Mapped)]
        {
            all.push(options(|o| {
                o.variant = variant;
                o.arithmetic = arithmetic;
                o.uniform_key = arithmetic == Arithmetic::Bits64;
                o.transfer = transfer;
            }));
        }
    }
    all
}

fn modes(start: u32) -> [Options; 7] {
    let default = Options::default();
    [
        default,
        default.no_follow(),
        default.start(start),
        default.start(start).beneath(),
        default.no_symlinks(),
        default.walk_only(),
        default.beneath().no_follow(),
    ]
}

#[test]
fn every_kernel_answers_as_the_scalar_resolver() {
    let mut random = Random(1);
    let (namespace, paths) = tree(&mut random, 3000);
    let start = (1..namespace.inode_bound()).rfind(|&inode| namespace.is_directory(inode)).unwrap();
    let index = Index::build(namespace).unwrap();
    let asked: PathBuffer = odd_paths(&mut random, &paths, 5000).iter().collect();
    for options in all_options() {
        let Some(engine) = engine(&options) else { return };
        for mode in modes(start) {
            assert_same(&engine, &index, &asked.as_batch(), &mode);
        }
    }
}

#[test]
fn an_index_in_several_windows_and_a_batch_in_many_chunks_answer_alike() {
    let mut random = Random(2);
    let (namespace, paths) = tree(&mut random, 4000);
    let index = Index::build(namespace).unwrap();
    let asked: PathBuffer = odd_paths(&mut random, &paths, 4000).iter().collect();
    for variant in Variant::KERNELS {
        let options = options(|o| {
            o.variant = variant;
            // About 85 KiB of slots, 60 KiB of directory records: several windows each.
            o.max_binding_bytes = Some(16 << 10);
            o.chunk_bytes = 0;
            o.chunk_paths = 700;
        });
        let Some(engine) = engine(&options) else { return };
        for mode in [Options::default(), Options::default().beneath(), Options::default().walk_only()] {
            assert_same(&engine, &index, &asked.as_batch(), &mode);
        }
    }
}

#[test]
fn every_layout_of_a_batch_is_taken_and_long_paths_have_their_own_answer() {
    let mut namespace = warpath_core::Namespace::new();
    let file = namespace.add_file(ROOT, "file", FileType::Regular).unwrap();
    let index = Index::build(namespace).unwrap();
    let Some(engine) = engine(&options(|_| ())) else { return };
    let mut long_with_nul = vec![b'x'; 100_000];
    long_with_nul[99_999] = 0;
    let long = vec![b'/'; 200_000];
    let longer = vec![b'/'; 4096];
    let paths: Vec<&[u8]> = vec![b"file", &long, b"/file", &long_with_nul, b"", &longer, b"/", b"no"];
    let expected = [
        Ok(file),
        Err(LookupError::NameTooLong),
        Ok(file),
        Err(LookupError::Invalid),
        Err(LookupError::NotFound),
        Err(LookupError::NameTooLong),
        Ok(ROOT),
        Err(LookupError::NotFound),
    ];
    let bytes = paths.concat();
    let ends = paths.iter().scan(0, |end, path| {
        *end += path.len() as u32;
        Some(*end)
    });
    let offsets: Vec<u32> = std::iter::once(0).chain(ends).collect();
    let wide: Vec<u64> = offsets.iter().map(|&offset| u64::from(offset)).collect();
    let shifted_bytes = [b"behind", &bytes[..]].concat();
    let shifted: Vec<u32> = offsets.iter().map(|offset| offset + 6).collect();
    for batch in [
        PathBatch::from_slices(&paths),
        PathBatch::new(&bytes, &offsets).unwrap(),
        PathBatch::new64(&bytes, &wide).unwrap(),
        PathBatch::new(&shifted_bytes, &shifted).unwrap(),
    ] {
        let answers = index.resolve(&engine, &batch, &Options::default()).unwrap();
        assert_eq!(answers.iter().collect::<Vec<_>>(), expected);
        let part = index.resolve(&engine, &batch.slice(2..5), &Options::default()).unwrap();
        assert_eq!(part.iter().collect::<Vec<_>>(), expected[2..5]);
    }
    let strs = ["/file", "no/file"];
    let answers = index.resolve(&engine, &PathBatch::from_strs(&strs), &Options::default()).unwrap();
    assert_eq!(answers.iter().collect::<Vec<_>>(), [Ok(file), Err(LookupError::NotFound)]);
    let none: PathBuffer = std::iter::empty::<&[u8]>().collect();
    assert!(index.resolve(&engine, &none.as_batch(), &Options::default()).unwrap().is_empty());
}

#[test]
fn changes_reach_the_device_version_by_version_and_indexes_share_it() {
    let mut random = Random(3);
    let (namespace, paths) = tree(&mut random, 500);
    let mut indexes = vec![Index::build(namespace).unwrap()];
    let (namespace, others) = tree(&mut random, 300);
    indexes.push(Index::build(namespace).unwrap());
    let mut asked = odd_paths(&mut random, &[paths, others].concat(), 1500);
    let Some(engine) = engine(&options(|_| ())) else { return };
    for step in 0..200 {
        let index = &mut indexes[step % 2];
        let name = random.name();
        let bound = index.namespace().inode_bound() as usize;
        let parent = (0..bound as u32).cycle().skip(random.below(bound));
        let parent = parent.take(bound).find(|&inode| index.namespace().is_directory(inode)).unwrap();
        // A refusal (a name that is taken, say) is no change, which must do no harm either.
        let _ = match step % 5 {
            0 => index.add_directory(parent, &name).map(drop),
            1 => index.add_symlink(parent, &name, asked[random.below(asked.len())].as_slice()).map(drop),
            2 | 3 => index.add_file(parent, &name, FileType::Regular).map(drop),
            _ => {
                let entry = index.namespace().list(parent).next().map(|entry| entry.name.to_vec());
                match entry {
                    Some(entry) => index.rename(parent, entry, ROOT, &name).map(drop),
                    None => Ok(()),
                }
            }
        };
        asked[step] = [index.namespace().path_of(parent).unwrap(), b"/".to_vec(), name].concat();
        let batch: PathBuffer = asked.iter().collect();
        let mode = if step % 7 == 0 { Options::default().beneath() } else { Options::default() };
        assert_same(&engine, &indexes[step % 2], &batch.as_batch(), &mode);
        assert_same(&engine, &indexes[(step + 1) % 2], &batch.as_batch(), &Options::default());
    }
}

#[test]
fn several_threads_share_an_engine() {
    let mut random = Random(4);
    let (namespace, paths) = tree(&mut random, 500);
    let index = Index::build(namespace).unwrap();
    let asked: PathBuffer = odd_paths(&mut random, &paths, 700).iter().collect();
    let Some(engine) = engine(&options(|_| ())) else { return };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    assert_same(&engine, &index, &asked.as_batch(), &Options::default());
                }
            });
        }
    });
}

/// Tables of any bytes: whatever the answers are, they come, from every kernel.
#[test]
fn hostile_tables_end_in_answers() {
    use warpath_core::column::Column;
    use warpath_core::index::{Plan, TableParts, Tables};
    use warpath_core::layout::{DirRecord, InodeBlock, LinkRecord, Slot};
    fn noise<T: bytemuck::Pod + Send + Sync>(random: &mut Random, n: usize, small: usize) -> Column<T> {
        let words = n * size_of::<T>() / 4;
        let mut values = vec![T::zeroed(); n];
        let words_of = bytemuck::cast_slice_mut::<T, u32>(&mut values);
        for word in words_of.iter_mut().take(words) {
            // Half of the words are small, so that many ids are in bounds and chains are long.
            *word = if random.below(2) == 0 { random.below(small) as u32 } else { random.0 as u32 };
        }
        Column::from(values)
    }
    let mut random = Random(5);
    let (_, paths) = tree(&mut random, 300);
    let asked: PathBuffer = odd_paths(&mut random, &paths, 600).iter().collect();
    for options in all_options() {
        let Some(engine) = engine(&options) else { return };
        for round in 0..6 {
            let mut slots: Column<Slot> = noise(&mut random, 4096, 64);
            // Keys cannot be hit by chance: let all be equal, so that every probe of that key hits. In one round the inodes look
            // like what the kernel leaves to the host.
            for slot in slots.iter_mut() {
                let inode = if round == 4 { 0xFFFF_FFFE } else { slot.inode };
                *slot = Slot { key0: 0, key1: 0, key2_kind: slot.key2_kind & 3, inode };
            }
            let parts = TableParts {
                key: if round % 2 == 0 { Column::from(vec![0; 6162]) } else { noise(&mut random, 6162, 9) },
                slots,
                blocks: noise::<InodeBlock>(&mut random, 4, 64),
                dirs: noise::<DirRecord>(&mut random, 50, 64),
                links: noise::<LinkRecord>(&mut random, 50, 64),
                n_entries: 4096,
                probe_limit: 2048,
                flags: random.0 as u32,
            };
            let tables = Tables::from_parts(parts).unwrap();
            for flags in 0..16 {
                let plan = Plan { start: random.below(200) as u32, flags, links: None };
                let mut out = warpath_core::Outcomes::with_len(asked.len());
                engine.resolve(&tables, &plan, &asked.as_batch(), out.as_mut()).unwrap();
            }
        }
    }
}

#[test]
fn a_lost_device_is_an_error_and_stays_one() {
    let mut random = Random(6);
    let (namespace, paths) = tree(&mut random, 100);
    let index = Index::build(namespace).unwrap();
    let asked: PathBuffer = odd_paths(&mut random, &paths, 200).iter().collect();
    for used_before in [false, true] {
        let Some(engine) = engine(&options(|_| ())) else { return };
        if used_before {
            assert_same(&engine, &index, &asked.as_batch(), &Options::default());
        }
        engine.lose_device();
        for _ in 0..2 {
            let error = index.resolve(&engine, &asked.as_batch(), &Options::default()).unwrap_err();
            let warpath_core::ResolveError::Engine(error) = error else { panic!("{error}") };
            assert!(matches!(error, EngineError::Lost { engine: "wgpu", .. }), "{error}");
        }
    }
}

#[test]
fn an_index_that_cannot_be_bound_is_refused_with_the_limit() {
    let mut random = Random(7);
    let (namespace, paths) = tree(&mut random, 3000);
    let large = Index::build(namespace).unwrap();
    let (namespace, _) = tree(&mut random, 20);
    let small = Index::build(namespace).unwrap();
    let asked: PathBuffer = paths.iter().collect();
    let Some(engine) = engine(&options(|o| o.max_binding_bytes = Some(1 << 10))) else { return };
    let error = large.resolve(&engine, &asked.as_batch(), &Options::default()).unwrap_err().to_string();
    assert!(error.contains("max_storage_buffer_binding_size 1024 bytes"), "{error}");
    // The engine lives on.
    assert_same(&engine, &small, &asked.as_batch(), &Options::default());
}

#[test]
fn columns_of_another_length_are_refused() {
    let index = Index::build(warpath_core::Namespace::new()).unwrap();
    let Some(engine) = engine(&options(|_| ())) else { return };
    let plan = index.plan(&Options::default()).unwrap();
    let mut out = warpath_core::Outcomes::with_len(1);
    let batch = [&b"a"[..], b"b"];
    let refused = engine.resolve(index.tables(), &plan, &PathBatch::from_slices(&batch), out.as_mut());
    assert!(matches!(refused, Err(EngineError::Failed { .. })));
}

#[test]
fn adapters_are_listed_and_taken_by_name() {
    let listed = adapters();
    if engine(&options(|_| ())).is_none() {
        return;
    }
    let usable = listed.iter().find(|adapter| adapter.unusable.is_none()).unwrap();
    assert!(usable.max_binding >= 128 << 20 && usable.storage_bindings >= 8 && !usable.driver.is_empty());
    let word = usable.name.split(' ').next().unwrap().to_uppercase();
    let named = WgpuOptions { adapter: Some(word), ..WgpuOptions::default() };
    let engine = engine(&named).unwrap();
    assert_eq!(&engine.adapter().name, &usable.name);
    assert!(engine.info().device.contains(&usable.name));
    if usable.software {
        assert!(matches!(WgpuEngine::new(&WgpuOptions::default()), Err(EngineError::Unavailable { .. })));
    }
}

/// The direct probe by itself: entries with names too long for any walk, so that nothing else could find them, below start
/// directories of every number of pending bytes.
#[test]
fn the_direct_probe_answers_without_the_walk() {
    use warpath_core::column::Column;
    use warpath_core::hash::{HashKey, State, random_key};
    use warpath_core::index::{Plan, TableParts, Tables};
    use warpath_core::layout::{InodeBlock, LinkRecord, Slot};
    use warpath_core::probe::{home_pair, pair_at};
    const N_PAIRS: u32 = 1024;
    const N_STARTS: u32 = 9;
    let key = random_key().unwrap();
    let hash = HashKey::new(&key).unwrap();
    // Inode 0 is the root; inode i is a directory whose path has 5 * i bytes.
    let starts: Vec<State> = (0..N_STARTS)
        .map(|i| {
            let mut state = State::EMPTY;
            state.push(hash, &b"/abcdefghijklmnopqrstuvwxyz/abcdefghijklmnopqrstuvwxyz"[..5 * i as usize]);
            state
        })
        .collect();
    let mut slots = vec![Slot::EMPTY; 2 * N_PAIRS as usize];
    let mut paths: Vec<Vec<Vec<u8>>> = vec![Vec::new(); N_STARTS as usize];
    let mut inode = 1000;
    for (start, state) in starts.iter().enumerate() {
        for length in (256..300).chain(1000..1040).chain(4080..4096) {
            let mut path = vec![b'n'; length];
            let mut entry = state.child(hash, b"");
            if start == 0 && length % 2 == 0 {
                path.fill(b'a');
                path[0] = b'/';
                entry = State::EMPTY;
            }
            entry.push(hash, &path);
            let words = entry.finish(hash).words;
            let slot = Slot { key0: words[0], key1: words[1], key2_kind: words[2], inode };
            let home = home_pair(slot.key0, N_PAIRS);
            let order = (0..N_PAIRS).map(|step| 2 * pair_at(home, step, N_PAIRS) as usize);
            let free = order.flat_map(|first| [first, first + 1]).find(|&at| slots[at].is_empty()).unwrap();
            slots[free] = slot;
            inode += 1;
            paths[start].push(path);
        }
    }
    let parts = TableParts {
        slots: Column::from(slots),
        blocks: Column::from(vec![InodeBlock { dir_bits: (1 << N_STARTS) - 1, ..InodeBlock::default() }]),
        dirs: Column::from((0..N_STARTS).map(|i| starts[i as usize].record(i, 0, 0)).collect::<Vec<_>>()),
        links: Column::from(Vec::<LinkRecord>::new()),
        n_entries: paths.iter().map(Vec::len).sum(),
        probe_limit: N_PAIRS,
        flags: 0,
        key: Column::from(key.clone()),
    };
    let tables = Tables::from_parts(parts).unwrap();
    for options in all_options() {
        let Some(engine) = engine(&options) else { return };
        let mut inode = 1000;
        for (start, paths) in paths.iter().enumerate() {
            let batch: PathBuffer = paths.iter().collect();
            let mut out = warpath_core::Outcomes::with_len(paths.len());
            let plan = Plan { start: start as u32, flags: 0, links: None };
            engine.resolve(&tables, &plan, &batch.as_batch(), out.as_mut()).unwrap();
            for (path, outcome) in paths.iter().zip(out.iter()) {
                assert_eq!(outcome, Ok(inode), "{options:?}: start {start}, {} bytes", path.len());
                inode += 1;
            }
        }
    }
}
