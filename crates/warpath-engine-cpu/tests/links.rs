//! Links in a tree whose records are no longer small: what is read ahead for them must not change an answer.

use warpath_core::{
    Engine, FileType, INVALID_INODE, Index, Namespace, Options, Outcomes, PathBatch, ROOT, resolve,
};
use warpath_engine_cpu::{CpuEngine, Isa};

#[test]
fn many_links_lead_where_the_scalar_walk_says() {
    const N: usize = 16_000;
    let mut namespace = Namespace::new();
    for i in 0..N {
        let directory = namespace.add_directory(ROOT, format!("d{i}")).unwrap();
        namespace.add_file(directory, "file", FileType::Regular).unwrap();
        // One in eight leads to a file, nowhere, or to itself.
        let target = match i % 24 {
            3 => format!("d{i}/file"),
            11 => "nowhere".to_owned(),
            19 => format!("l{i}"),
            _ => format!("d{}", (i * 7919) % N),
        };
        namespace.add_symlink(ROOT, format!("l{i}"), target).unwrap();
    }
    let index = Index::build(namespace).unwrap();
    let tables = index.tables();
    assert!(size_of_val(tables.dirs()) > 1 << 19, "small records are not read ahead");
    let paths: Vec<String> = (0..N)
        .flat_map(|i| {
            [format!("/l{i}/file"), format!("l{i}/file"), format!("l{i}/missing"), format!("l{i}/")]
        })
        .collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let batch = PathBatch::from_strs(&paths);
    for options in [Options::default(), Options::default().beneath(), Options::default().walk_only()] {
        let plan = index.plan(&options).unwrap();
        let mut expected = Outcomes::with_len(paths.len());
        for (i, path) in paths.iter().enumerate() {
            expected.as_mut().set(i, resolve::resolve(&tables.view(), &plan, path.as_bytes()));
        }
        let n_found = expected.inodes().iter().filter(|&&inode| inode != INVALID_INODE).count();
        assert!(n_found > N, "{n_found} found");
        for isa in Isa::ALL {
            let Some(engine) = CpuEngine::with_threads(1).unwrap().with_isa(isa) else { continue };
            let mut outcomes = Outcomes::with_len(paths.len());
            engine.resolve(tables, &plan, &batch, outcomes.as_mut()).unwrap();
            assert!(outcomes == expected, "{}", isa.name());
        }
    }
}
