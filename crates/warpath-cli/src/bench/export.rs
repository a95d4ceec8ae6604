//! Figures for programs.

use super::measure::Measured;
use std::fmt::Write as _;

/// A line a point.
pub fn csv(measured: &Measured) -> String {
    let mut text =
        String::from("engine,paths,batch,paths_per_s,p50_ns,p99_ns,batches,bytes_per_path,share_of_limit\n");
    for point in &measured.measurements.points {
        let _ = writeln!(
            text,
            "{},\"{}\",{},{:.0},{},{},{},{:.1},{:.4}",
            point.engine,
            point.case,
            point.batch,
            point.paths_per_s,
            point.p50.as_nanos(),
            point.p99.as_nanos(),
            point.batches,
            point.bytes_per_path,
            point.share_of_limit,
        );
    }
    text
}

/// One object: the tree, the engines, the points, single calls against batches, crossovers.
pub fn json(measured: &Measured) -> String {
    let measurements = &measured.measurements;
    let engines = measured.engines.iter().map(|engine| {
        format!(
            "{{\"name\":{},\"device\":{},\"limit\":{},\"limit_bytes_per_s\":{:.0}}}",
            string(&engine.name),
            string(&engine.device),
            string(engine.limit.name()),
            engine.limit.bytes_per_s
        )
    });
    let points = measurements.points.iter().map(|point| {
        format!(
            "{{\"engine\":{},\"paths\":{},\"batch\":{},\"paths_per_s\":{:.0},\"p50_ns\":{},\"p99_ns\":{},\
             \"batches\":{},\"bytes_per_path\":{:.1},\"share_of_limit\":{:.4}}}",
            string(&point.engine),
            string(&point.case),
            point.batch,
            point.paths_per_s,
            point.p50.as_nanos(),
            point.p99.as_nanos(),
            point.batches,
            point.bytes_per_path,
            point.share_of_limit,
        )
    });
    let singles = measurements.singles.iter().map(|single| {
        format!(
            "{{\"engine\":{},\"paths\":{},\"single_calls_ns\":{},\"one_batch_ns\":{}}}",
            string(&single.engine),
            single.n_paths,
            single.singles.as_nanos(),
            single.batch.as_nanos(),
        )
    });
    let crossovers = measurements
        .crossovers()
        .into_iter()
        .map(|(from, engine)| format!("{{\"from_batch\":{from},\"engine\":{}}}", string(engine)));
    format!(
        "{{\"tree\":{},\"notes\":[{}],\n\"engines\":[{}],\n\"points\":[\n{}],\n\
         \"single_against_batch\":[{}],\n\"fastest\":[{}]}}\n",
        string(&measured.tree),
        joined(measured.notes.iter().map(|note| string(note)), ","),
        joined(engines, ","),
        joined(points, ",\n"),
        joined(singles, ","),
        joined(crossovers, ","),
    )
}

fn joined(items: impl Iterator<Item = String>, separator: &str) -> String {
    items.collect::<Vec<_>>().join(separator)
}

/// A JSON string.
fn string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if (letter as u32) < 0x20 => {
                let _ = write!(quoted, "\\u{:04x}", letter as u32);
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    #[test]
    fn strings_are_escaped() {
        assert_eq!(super::string("a\"b\\c\nd"), "\"a\\\"b\\\\c\\u000ad\"");
    }
}
