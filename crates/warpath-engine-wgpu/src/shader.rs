//! The kernels' text, put together for a device: WGSL has no includes, and a device decides how many bindings an array takes.

use std::fmt::Write;
use warpath_core::layout;

/// Words of the hash key as kernels read it.
pub(crate) const DEVICE_KEY_WORDS: usize = 8 * (layout::KEY_UNITS + layout::LANES) as usize;

/// Which kernel answers a batch. The answers are the same; only the speed differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Variant {
    /// Chosen batch by batch, by the number of paths.
    #[default]
    Auto,
    /// A workgroup a path: the shortest delay where paths are few.
    Few,
    /// A thread a path.
    Many,
}

impl Variant {
    /// Every kernel there is, for tests of each.
    pub const KERNELS: [Variant; 2] = [Variant::Few, Variant::Many];

    /// The kernel's name, as programs take it: `many`.
    pub fn name(self) -> &'static str {
        match self {
            Variant::Auto => "auto",
            Variant::Few => "few",
            Variant::Many => "many",
        }
    }

    /// The kernel of this name; `None` where there is none.
    pub fn by_name(name: &str) -> Option<Variant> {
        Variant::KERNELS.into_iter().find(|variant| variant.name() == name)
    }

    /// Threads of a workgroup.
    pub(crate) fn workgroup(self) -> u32 {
        match self {
            Variant::Few => 32,
            Variant::Auto | Variant::Many => 128,
        }
    }

    /// Workgroups that answer so many paths.
    pub(crate) fn n_workgroups(self, n_paths: u32) -> u32 {
        match self {
            Variant::Few => n_paths,
            Variant::Auto | Variant::Many => n_paths.div_ceil(self.workgroup()),
        }
    }

    /// Name of the entry point.
    pub(crate) fn entry_point(self) -> &'static str {
        match self {
            Variant::Few => "resolve_few",
            Variant::Auto | Variant::Many => "resolve_many",
        }
    }

    /// The kernel's own text.
    fn text(self) -> &'static str {
        match self {
            Variant::Few => include_str!("../kernels/few.wgsl"),
            Variant::Auto | Variant::Many => include_str!("../kernels/many.wgsl"),
        }
    }
}

/// How the kernels do 64-bit arithmetic. The answers are the same; only the speed differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Arithmetic {
    /// 64-bit integers where the adapter has them.
    #[default]
    Auto,
    /// Pairs of 32-bit words: runs everywhere.
    Bits32,
    /// 64-bit integers: refused where the adapter has none.
    Bits64,
}

/// An array of the index, as the kernels read it: records of whole 16-byte quads, in one or several windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ArrayKind {
    /// Name of the accessor, `slot` for `slot_at`.
    pub name: &'static str,
    /// Name of the record in the layout.
    pub record: &'static str,
    /// Quads of a record.
    pub quads: u32,
}

/// The index's arrays in the order of their bindings.
pub(crate) const ARRAYS: [ArrayKind; 4] = [
    ArrayKind { name: "slot", record: "Slot", quads: 1 },
    ArrayKind { name: "block", record: "InodeBlock", quads: 1 },
    ArrayKind { name: "dir", record: "DirRecord", quads: 3 },
    ArrayKind { name: "link", record: "LinkRecord", quads: 1 },
];

impl ArrayKind {
    /// Bytes of a record.
    pub(crate) fn record_bytes(self) -> u64 {
        u64::from(self.quads) * 16
    }
}

/// What a kernel is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Config {
    pub variant: Variant,
    pub wide: bool,
    /// Whether the hash key is bound as a uniform buffer, which some devices read faster.
    pub uniform_key: bool,
    /// Windows of each array.
    pub windows: [u32; 4],
    /// Records of a whole window of each array.
    pub window_records: [u32; 4],
}

/// The first binding of group 0 that holds a window.
pub(crate) const FIRST_WINDOW: u32 = 2;

/// The whole text of a kernel.
pub(crate) fn source(config: &Config) -> String {
    let mut text = format!("const WORKGROUP: u32 = {}u;\n\n", config.variant.workgroup());
    let arithmetic = if config.wide {
        include_str!("../kernels/arithmetic64.wgsl")
    } else {
        include_str!("../kernels/arithmetic32.wgsl")
    };
    let windows = key_binding(config.uniform_key).to_owned() + &accessors(config);
    for part in [
        layout::LAYOUT_WGSL,
        include_str!("../kernels/bindings.wgsl"),
        &windows,
        arithmetic,
        include_str!("../kernels/path.wgsl"),
        include_str!("../kernels/hash.wgsl"),
        include_str!("../kernels/probe.wgsl"),
        include_str!("../kernels/walk.wgsl"),
        include_str!("../kernels/resolve.wgsl"),
        config.variant.text(),
    ] {
        text.push_str(part);
        text.push('\n');
    }
    text
}

/// The hash key's binding: two quads a unit and two a lane's finish, as [`device_key`] makes them.
fn key_binding(uniform: bool) -> &'static str {
    if uniform {
        "@group(0) @binding(1) var<uniform> hash_key: array<vec4<u32>, 2u * KEY_UNITS + 2u * LANES>;\n"
    } else {
        "@group(0) @binding(1) var<storage, read> hash_key: array<vec4<u32>>;\n"
    }
}

/// The hash key as kernels read it: the position keys of all lanes side by side, unit by unit (6 words and 2 unused), then
/// A, B and C of each lane (6 words and 2 unused). `words` are KEY_WORDS.
pub(crate) fn device_key(words: &[u32]) -> Vec<u32> {
    let lane_words = layout::KEY_LANE_WORDS as usize;
    let mut key = Vec::with_capacity(DEVICE_KEY_WORDS);
    for unit in 0..layout::KEY_UNITS as usize {
        for lane in 0..layout::LANES as usize {
            let at = lane * lane_words + 2 * unit;
            key.extend_from_slice(&words[at..at + 2]);
        }
        key.extend([0; 2]);
    }
    for finish in words[layout::KEY_FINISH as usize..].chunks(layout::KEY_FINISH_WORDS as usize) {
        key.extend_from_slice(finish);
        key.extend([0; 2]);
    }
    key
}

/// The windows' bindings and, for each array, the function that reads a record.
fn accessors(config: &Config) -> String {
    let mut text = String::new();
    let mut binding = FIRST_WINDOW;
    for ((array, n), whole) in ARRAYS.iter().zip(config.windows).zip(config.window_records) {
        for window in 0..n {
            let _ = writeln!(
                text,
                "@group(0) @binding({binding}) var<storage, read> {}s_{window}: array<vec4<u32>>;",
                array.name
            );
            binding += 1;
        }
        quad_reader(&mut text, *array, n, whole);
        record_reader(&mut text, *array);
    }
    text
}

/// `slot_quad(record, part)`: 16 bytes of a record, from the window that holds it.
fn quad_reader(text: &mut String, array: ArrayKind, n: u32, whole: u32) {
    let ArrayKind { name, quads, .. } = array;
    let _ = writeln!(text, "\nfn {name}_quad(record: u32, part: u32) -> vec4<u32> {{");
    if n == 1 {
        let _ = writeln!(text, "    return {name}s_0[record * {quads}u + part];\n}}");
        return;
    }
    let _ = writeln!(text, "    switch record / {whole}u {{");
    for window in 0..n {
        let label = if window + 1 == n { "default".to_owned() } else { format!("case {window}u") };
        let first = window * whole;
        let _ = writeln!(
            text,
            "        {label}: {{ return {name}s_{window}[(record - {first}u) * {quads}u + part]; }}"
        );
    }
    text.push_str("    }\n}\n");
}

/// `slot_at(record)`: a record, field by field in the order of the layout.
fn record_reader(text: &mut String, array: ArrayKind) {
    let ArrayKind { name, record, quads } = array;
    let _ = writeln!(text, "\nfn {name}_at(record: u32) -> {record} {{");
    for part in 0..quads {
        let _ = writeln!(text, "    let quad{part} = {name}_quad(record, {part}u);");
    }
    let fields: Vec<String> =
        (0..quads).flat_map(|part| ["x", "y", "z", "w"].map(|field| format!("quad{part}.{field}"))).collect();
    let _ = writeln!(text, "    return {record}({});\n}}\n", fields.join(", "));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_whole_quads() {
        for array in ARRAYS {
            let record = layout::RECORDS.iter().find(|record| record.name == array.record).unwrap();
            assert_eq!(record.fields.len(), 4 * array.quads as usize, "{}", array.record);
        }
    }
}
