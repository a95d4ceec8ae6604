//! The shipped kernels, validated and translated to every backend's language.

use crate::shader::{ARRAYS, Config, Variant, source};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use warpath_core::layout;

/// Every kernel text that a device may be given, over one and several windows.
fn configs() -> impl Iterator<Item = Config> {
    Variant::KERNELS.into_iter().flat_map(|variant| {
        [false, true].into_iter().flat_map(move |wide| {
            [[1, 1, 1, 1], [3, 2, 2, 2]].into_iter().map(move |windows| Config {
                variant,
                wide,
                uniform_key: wide,
                windows,
                window_records: [1 << 23, 1 << 23, 2_796_202, 1 << 23],
            })
        })
    })
}

fn parse(config: &Config) -> (naga::Module, naga::valid::ModuleInfo) {
    let text = source(config);
    let module = naga::front::wgsl::parse_str(&text)
        .unwrap_or_else(|error| panic!("{config:?}\n{}", error.emit_to_string(&text)));
    // The 32-bit kernels must need nothing beyond WGSL itself.
    let capabilities = if config.wide { Capabilities::SHADER_INT64 } else { Capabilities::empty() };
    let info = Validator::new(ValidationFlags::all(), capabilities)
        .validate(&module)
        .unwrap_or_else(|error| panic!("{config:?}\n{}", error.emit_to_string(&text)));
    (module, info)
}

#[test]
fn kernels_validate_and_translate_to_spirv() {
    for config in configs() {
        let (module, info) = parse(&config);
        let words =
            naga::back::spv::write_vec(&module, &info, &naga::back::spv::Options::default(), None).unwrap();
        assert!(words.len() > 1000 && words[0] == 0x0723_0203, "{config:?}");
    }
}

#[test]
fn kernels_translate_to_msl() {
    use naga::back::msl;
    for config in configs() {
        let (module, info) = parse(&config);
        let options =
            msl::Options { lang_version: (2, 3), fake_missing_bindings: true, ..Default::default() };
        let (text, reflection) =
            msl::write_string(&module, &info, &options, &msl::PipelineOptions::default()).unwrap();
        let entry = reflection.entry_point_names[0].as_ref().unwrap();
        assert!(text.contains(&format!("kernel void {entry}")), "{config:?}");
    }
}

#[test]
fn kernels_translate_to_hlsl() {
    use naga::back::hlsl;
    for config in configs() {
        let (module, info) = parse(&config);
        let options = hlsl::Options {
            // 64-bit integers need shader model 6.0, the others run on 5.1 too.
            shader_model: if config.wide { hlsl::ShaderModel::V6_0 } else { hlsl::ShaderModel::V5_1 },
            fake_missing_bindings: true,
            ..Default::default()
        };
        let mut text = String::new();
        let reflection = hlsl::Writer::new(&mut text, &options, &hlsl::PipelineOptions::default())
            .write(&module, &info, None)
            .unwrap();
        let entry = reflection.entry_point_names[0].as_ref().unwrap();
        assert!(text.contains(&format!("void {entry}(")), "{config:?}");
    }
}

/// naga's offsets of the generated structs are Rust's, and the parameter structs are where the host writes them.
#[test]
fn structs_lie_where_rust_puts_them() {
    let config = configs().next().unwrap();
    let (module, _) = parse(&config);
    let offsets = |name: &str| -> Option<(Vec<(String, u32)>, u32)> {
        module.types.iter().find(|(_, ty)| ty.name.as_deref() == Some(name)).map(|(_, ty)| match &ty.inner {
            naga::TypeInner::Struct { members, span } => {
                (members.iter().map(|m| (m.name.clone().unwrap(), m.offset)).collect(), *span)
            }
            other => panic!("{name} is {other:?}"),
        })
    };
    for record in layout::RECORDS {
        let (members, span) = offsets(record.name).unwrap_or_else(|| panic!("no struct {}", record.name));
        let declared: Vec<(String, u32)> =
            record.fields.iter().map(|field| (field.name.to_owned(), 4 * field.offset as u32)).collect();
        assert_eq!(members, declared, "{}", record.name);
        assert_eq!(span as usize, 4 * record.fields.len(), "{}", record.name);
    }
    assert_eq!(offsets("IndexParams").unwrap().0, [("table".to_owned(), 0), ("n_blocks".to_owned(), 32)]);
    assert_eq!(offsets("BatchParams").unwrap().0, [("query".to_owned(), 0)]);
    assert_eq!(ARRAYS.len(), config.windows.len());
}
