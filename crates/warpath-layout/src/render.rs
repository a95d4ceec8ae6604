//! The declarations of [`records`](crate::records) as WGSL, as a CUDA header and as a document.

use crate::records::{CONSTANTS, RECORDS};
use std::fmt::Write;

const NOTICE: &str =
    "Generated from crates/warpath-layout/src/records.rs by `cargo xtask codegen`. Do not edit.";

/// The declarations as WGSL: one `const` a constant, one struct of `u32` a record.
pub fn wgsl() -> String {
    let mut text = format!("// {NOTICE}\n\n");
    for constant in CONSTANTS {
        let _ = writeln!(text, "//{}\nconst {}: u32 = {:#x}u;", constant.doc, constant.name, constant.value);
    }
    for record in RECORDS {
        let _ = writeln!(text, "\n//{}\nstruct {} {{", record.doc, record.name);
        for field in record.fields {
            let _ = writeln!(text, "    //{}\n    {}: u32,", field.doc, field.name);
        }
        text.push_str("}\n");
    }
    text
}

/// The declarations as a CUDA C++ header, with a `static_assert` for each size and offset.
pub fn cuda() -> String {
    let mut text = format!("// {NOTICE}\n#pragma once\n\n");
    for constant in CONSTANTS {
        let _ = writeln!(
            text,
            "//{}\nconstexpr unsigned {} = {:#x}u;",
            constant.doc, constant.name, constant.value
        );
    }
    for record in RECORDS {
        let n_words = record.fields.len();
        let align = if n_words % 4 == 0 {
            16
        } else if n_words % 2 == 0 {
            8
        } else {
            4
        };
        let _ = writeln!(text, "\n//{}\nstruct alignas({align}) {} {{", record.doc, record.name);
        for field in record.fields {
            let _ = writeln!(text, "    //{}\n    unsigned {};", field.doc, field.name);
        }
        let _ = writeln!(
            text,
            "}};\nstatic_assert(sizeof({}) == {}, \"{0} has another size in Rust\");",
            record.name,
            4 * n_words
        );
        for field in record.fields {
            let _ = writeln!(
                text,
                "static_assert(__builtin_offsetof({0}, {1}) == {2}, \"{0}.{1} lies elsewhere in Rust\");",
                record.name,
                field.name,
                4 * field.offset
            );
        }
    }
    text
}

/// The declarations as Markdown tables.
pub fn markdown() -> String {
    let mut text = format!("<!-- {NOTICE} -->\n\n# Layout\n\nLittle-endian 32-bit words.\n");
    for record in RECORDS {
        let _ = writeln!(
            text,
            "\n## {}\n\n{}\n\n| word | field | holds |\n|---|---|---|",
            record.name,
            record.doc.trim()
        );
        for field in record.fields {
            let _ = writeln!(text, "| {} | `{}` | {} |", field.offset, field.name, field.doc.trim());
        }
    }
    text.push_str("\n## Constants\n\n| name | value | meaning |\n|---|---|---|\n");
    for constant in CONSTANTS {
        let _ = writeln!(text, "| `{}` | {:#x} | {} |", constant.name, constant.value, constant.doc.trim());
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn committed_declarations_are_fresh() {
        let advice = "is stale: run `cargo xtask codegen` and commit";
        assert!(super::wgsl() == crate::LAYOUT_WGSL, "layout.wgsl {advice}");
        assert!(super::cuda() == include_str!("../generated/layout.cuh"), "layout.cuh {advice}");
        assert!(super::markdown() == include_str!("../generated/LAYOUT.md"), "LAYOUT.md {advice}");
    }
}
