//! Figures in README.md and docs/ equal the records that they cite.
//!
//! Two forms, both invisible to readers:
//! - `35 <!-- record: FILE KEY -->`: the last number before the mark is KEY's in FILE (CSV), rounded as shown;
//! - `<!-- record: FILE -->` up to `<!-- /record -->`: every table row between them is a line of FILE; with `FILE # WORDS` of the part of
//!   it below a heading with these words.
//!
//! `cargo xtask figures` renews both.
//!
//! A table that shows rates or times without either is an error, unless `<!-- quoted: WHERE FROM -->` stands above it: figures of
//! others, of targets, or of a record whose lines are not these.

use std::path::{Path, PathBuf};

const MARK: &str = "<!-- record: ";
const END: &str = "<!-- /record -->";
const QUOTED: &str = "<!-- quoted: ";

/// What makes a number in a table a figure: a unit of speed or of short times behind it.
const UNITS: [&str; 14] = [
    "M/s",
    "G/s",
    "k/s",
    "GB/s",
    "MB/s",
    "M paths/s",
    "G paths/s",
    "paths/s",
    "entries/s",
    "lines/s",
    "ns",
    "us",
    "ms",
    "x",
];

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
    let mut is_quoted = false;
    let mut header = String::new();
    for (number, line) in page.lines().enumerate() {
        in_code ^= line.starts_with("```");
        if in_code {
            continue;
        }
        is_quoted =
            line.starts_with(QUOTED) && line.len() > QUOTED.len() + 4 || is_quoted && line.starts_with('|');
        if line.starts_with('|') {
            let is_marked = is_quoted || rows_of.is_some() || line.contains(MARK);
            if !is_marked && has_figure(&header, line) {
                wrong.push(format!("line {}: figures without a record or a source: {line}", number + 1));
            }
            if header.is_empty() {
                line.clone_into(&mut header);
            }
        } else {
            header.clear();
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
                Some((file, words)) if words.starts_with("# ") => read(file).map(|record| {
                    rows_of =
                        Some((cited.to_owned(), below_heading(&record, words.trim_start_matches("# "))));
                }),
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

/// The lines of a record below headings with these words.
fn below_heading(record: &str, words: &str) -> String {
    let mut is_below = false;
    let is_wanted = |line: &&str| {
        if line.starts_with('#') {
            is_below = line.contains(words);
        }
        is_below
    };
    record.lines().filter(is_wanted).collect::<Vec<_>>().join("\n")
}

/// Whether a row of a table shows a measured figure: a number with such a unit behind it, or a number in a column of such a unit.
fn has_figure(header: &str, row: &str) -> bool {
    let is_number = |word: &str| word.bytes().any(|byte| byte.is_ascii_digit());
    let is_unit = |text: &str| UNITS.contains(&text);
    let in_cell = |cell: &str| {
        let words: Vec<&str> = cell.split([' ', ',', '(', ')']).filter(|word| !word.is_empty()).collect();
        words.windows(2).any(|pair| is_number(pair[0]) && is_unit(pair[1]))
            || words.windows(3).any(|three| is_number(three[0]) && is_unit(&three[1..].join(" ")))
    };
    let measures = |title: &str| title.split([' ', ',']).any(is_unit);
    let mut titles = header.split('|').map(str::trim);
    row.split('|').map(str::trim).any(|cell| {
        let is_alone = cell.trim_matches('*').parse::<f64>().is_ok();
        in_cell(cell) || titles.next().is_some_and(|title| measures(title) && is_alone)
    })
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
    assert_eq!(errors("<!-- record: r.csv # machine -->\n| row | 1 |\n<!-- /record -->"), 0);
    assert_eq!(errors("<!-- record: r.csv # other -->\n| row | 1 |\n<!-- /record -->"), 1);
}

#[test]
fn a_table_of_figures_without_a_record_is_seen() {
    let read = |_: &str| Ok("| a | 7 |\n".to_owned());
    let errors = |page: &str| check(page, &read).len();
    for figures in [
        "| way | rate |\n|---|---|\n| a | 7.5 M paths/s |",
        "| way | M paths/s |\n|---|---|\n| a | 7 |",
        "| way | time |\n|---|---|\n| a | 12 (15) us mapped |",
        "| way | faster |\n|---|---|\n| a | 2.5 x |",
    ] {
        assert_eq!(errors(figures), 1, "{figures}");
        assert_eq!(errors(&format!("<!-- quoted: a paper -->\n{figures}")), 0, "{figures}");
        assert_eq!(errors(&format!("<!-- quoted: -->\n{figures}")), 1, "{figures}");
        assert_eq!(errors(&format!("<!-- quoted: a paper -->\ntext\n\n{figures}")), 1, "{figures}");
    }
    assert_eq!(errors("| way | M paths/s |\n|---|---|\n| a | 7 <!-- record: r.csv k --> |"), 1);
    assert_eq!(errors("<!-- record: r.txt -->\n| a | 7 |\n<!-- /record -->"), 0);
    assert_eq!(
        errors("| setting | default |\n|---|---|\n| `timeout` | 0 |\n| size | 65,536 paths, 8 bytes |"),
        0
    );
}
