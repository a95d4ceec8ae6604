//! Figures in README.md and docs/ equal the records that they cite.
//!
//! Two forms, both invisible to readers:
//! - `35 <!-- record: FILE KEY -->`: the last number before the mark is KEY's in FILE (CSV), rounded as shown;
//! - `<!-- record: FILE -->` up to `<!-- /record -->`: every table row between them is a line of FILE.

use std::path::{Path, PathBuf};

const MARK: &str = "<!-- record: ";
const END: &str = "<!-- /record -->";

#[test]
fn figures_equal_the_records_they_cite() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut wrong = Vec::new();
    for page in pages(root) {
        let text = std::fs::read_to_string(&page).unwrap();
        let read = |file: &str| std::fs::read_to_string(root.join(file)).map_err(|error| error.to_string());
        wrong.extend(check(&text, &read).into_iter().map(|error| format!("{}: {error}", page.display())));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn pages(root: &Path) -> Vec<PathBuf> {
    let docs = std::fs::read_dir(root.join("docs")).into_iter().flatten().map(|page| page.unwrap().path());
    let docs = docs.filter(|page| page.extension().is_some_and(|ending| ending == "md"));
    docs.chain([root.join("README.md")]).collect()
}

/// What is wrong on a page.
fn check(page: &str, read: &dyn Fn(&str) -> Result<String, String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut rows_of: Option<(String, String)> = None;
    let mut in_code = false;
    for (number, line) in page.lines().enumerate() {
        in_code ^= line.starts_with("```");
        if in_code {
            continue;
        }
        if line.trim() == END {
            rows_of = None;
        } else if let Some((file, record)) = &rows_of
            && line.starts_with('|')
            && !record.lines().any(|row| row == line)
        {
            wrong.push(format!("line {}: no such row in {file}: {line}", number + 1));
        }
        let mut before = line;
        while let Some((text, rest)) = before.split_once(MARK) {
            let (cited, after) = rest.split_once(" -->").unwrap_or((rest, ""));
            let result = match cited.split_once(' ') {
                Some((file, key)) => read(file).and_then(|record| check_number(text, &record, key)),
                None => read(cited).map(|record| rows_of = Some((cited.to_owned(), record))),
            };
            wrong.extend(result.err().map(|error| format!("line {}: {cited}: {error}", number + 1)));
            before = after;
        }
    }
    wrong.extend(rows_of.map(|(file, _)| format!("{file}: no {END} behind the rows")));
    wrong
}

fn check_number(text: &str, record: &str, key: &str) -> Result<(), String> {
    let is_part = |letter: char| letter.is_ascii_digit() || letter == '.';
    let shown =
        text.rsplit(|letter| !is_part(letter)).map(|word| word.trim_matches('.')).find(|w| !w.is_empty());
    let shown = shown.ok_or("no number before the mark")?;
    let row = record.lines().find_map(|row| row.strip_prefix(key)?.strip_prefix(','));
    let row = row.ok_or("the record has no such key")?;
    let value = row.split(',').next().unwrap_or_default();
    let exact: f64 = value.parse().map_err(|_| format!("not a number: {value}"))?;
    let decimals = shown.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let rounded = format!("{exact:.decimals$}");
    if shown == rounded || shown == value {
        Ok(())
    } else {
        Err(format!("{shown}, but the record says {value}"))
    }
}

#[test]
fn a_figure_that_differs_is_seen() {
    let record = "# machine: x\nkey,value\na.b,34.56,M\nc,7,\n| row | 1 |\n";
    let read =
        |file: &str| if file == "r.csv" { Ok(record.to_owned()) } else { Err("no such file".to_owned()) };
    let errors = |page: &str| check(page, &read).len();
    assert_eq!(errors("it is 34.6 <!-- record: r.csv a.b --> M/s, 7x <!-- record: r.csv c -->"), 0);
    assert_eq!(errors("| 35 <!-- record: r.csv a.b --> | 34.56<!-- record: r.csv a.b --> |"), 0);
    assert_eq!(errors("it is 34.5 <!-- record: r.csv a.b -->"), 1);
    assert_eq!(errors("it is 8 <!-- record: r.csv c --> or 34 <!-- record: r.csv a.b -->"), 2);
    assert_eq!(errors("7 <!-- record: r.csv d --> 7 <!-- record: s.csv c --> x <!-- record: r.csv c -->"), 3);
    assert_eq!(errors("<!-- record: r.csv -->\n| row | 1 |\n<!-- /record -->\n| other |"), 0);
    assert_eq!(errors("<!-- record: r.csv -->\n| row | 2 |\n<!-- /record -->"), 1);
    assert_eq!(errors("<!-- record: r.csv -->\n| row | 1 |"), 1);
}
