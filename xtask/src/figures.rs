//! Puts the figures of the newest records into README.md and `docs/`: numbers and rows that a page marks with the record that they are from,
//! as docs/benchmarks.md describes. `bench/tests/readme.rs` checks the pages, and shares no code with this.

use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};

const MARK: &str = "<!-- record: ";
const MARK_END: &str = " -->";
const ROWS_END: &str = "<!-- /record -->";

/// Rewrites the pages below `root`; prints what has changed. A page with a row or number that its record lacks stays as it is, and is an error.
pub fn refresh(root: &Path) -> Result<()> {
    let mut failures = Vec::new();
    for page in pages(root)? {
        let before = std::fs::read_to_string(&page).with_context(|| format!("reading {}", page.display()))?;
        match refreshed(&before, root) {
            Ok(after) if after == before => {}
            Ok(after) => {
                std::fs::write(&page, &after).with_context(|| format!("writing {}", page.display()))?;
                let n_changed = before.lines().zip(after.lines()).filter(|(old, new)| old != new).count();
                println!("{}: {n_changed} lines", page.display());
            }
            Err(error) => failures.push(format!("{}: {error:#}", page.display())),
        }
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

fn pages(root: &Path) -> Result<Vec<PathBuf>> {
    let mut pages = vec![root.join("README.md")];
    for page in std::fs::read_dir(root.join("docs")).context("reading docs")? {
        pages.push(page?.path());
    }
    pages.retain(|page| page.extension().is_some_and(|ending| ending == "md"));
    Ok(pages)
}

/// A page with the figures of the newest records.
fn refreshed(page: &str, root: &Path) -> Result<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut in_code = false;
    let mut rows_of: Option<Vec<Table>> = None;
    let mut table: Vec<&str> = Vec::new();
    for (number, line) in page.lines().enumerate() {
        let place = || format!("line {}", number + 1);
        in_code ^= line.starts_with("```");
        if let Some(tables) = &rows_of {
            if line.starts_with('|') {
                table.push(line);
                continue;
            }
            if !table.is_empty() {
                lines.extend(refreshed_table(&table, tables).with_context(place)?);
                table.clear();
            }
            if line == ROWS_END {
                rows_of = None;
            }
            lines.push(line.to_owned());
            continue;
        }
        if in_code || !line.contains(MARK) {
            lines.push(line.to_owned());
            continue;
        }
        let (line, rows) = refreshed_marks(line, root).with_context(place)?;
        lines.push(line);
        rows_of = rows;
    }
    ensure!(rows_of.is_none(), "no {ROWS_END} behind the last rows");
    Ok(lines.join("\n") + "\n")
}

/// A line with its numbers renewed; and the tables of the record whose rows follow it.
fn refreshed_marks(line: &str, root: &Path) -> Result<(String, Option<Vec<Table>>)> {
    let mut text = String::new();
    let mut rows = None;
    let mut rest = line;
    while let Some((before, after)) = rest.split_once(MARK) {
        let (cited, after) = after.split_once(MARK_END).context("a mark without its end")?;
        let (file, key) = cited.split_once(' ').map_or((cited, None), |(file, key)| (file, Some(key)));
        let newest = newest(root, file)?;
        let record = std::fs::read_to_string(root.join(&newest)).with_context(|| newest.clone())?;
        match key {
            Some(key) if !key.starts_with('#') => text += &with_number(before, &value(&record, key)?)?,
            heading => {
                text += before;
                rows = Some(tables(
                    &record,
                    heading.map_or("", |heading| heading.trim_start_matches(['#', ' '])),
                ));
            }
        }
        text += &format!("{MARK}{newest}{}{MARK_END}", key.map(|key| format!(" {key}")).unwrap_or_default());
        rest = after;
    }
    Ok((text + rest, rows))
}

/// `FOLDER/DATE-NAME` of the latest date.
fn newest(root: &Path, file: &str) -> Result<String> {
    const DATE: usize = "2026-11-23".len();
    let (folder, name) = file.rsplit_once('/').with_context(|| format!("{file}: no folder"))?;
    let part = name.get(DATE..).with_context(|| format!("{file}: no date"))?;
    let files = std::fs::read_dir(root.join(folder)).with_context(|| folder.to_owned())?;
    let names = files.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let newest = names.filter(|other| other.get(DATE..) == Some(part)).max();
    Ok(format!("{folder}/{}", newest.with_context(|| format!("{file}: there is no such record"))?))
}

fn value(record: &str, key: &str) -> Result<f64> {
    let row = record.lines().find_map(|row| row.strip_prefix(key)?.strip_prefix(','));
    let value =
        row.and_then(|row| row.split(',').next()).with_context(|| format!("the record has no {key}"))?;
    value.parse().with_context(|| format!("{key}: {value}"))
}

/// The text with its last number replaced, with as many decimals as that.
fn with_number(text: &str, value: &f64) -> Result<String> {
    let is_part = |letter: char| letter.is_ascii_digit() || letter == '.';
    let end = text.rfind(|letter: char| letter.is_ascii_digit()).context("no number before the mark")? + 1;
    let start = text[..end].rfind(|letter| !is_part(letter)).map_or(0, |at| at + 1);
    let decimals = text[start..end].split_once('.').map_or(0, |(_, decimals)| decimals.len());
    Ok(format!("{}{value:.decimals$}{}", &text[..start], &text[end..]))
}

/// A table of a record.
#[derive(Debug, Default)]
struct Table {
    header: String,
    rows: Vec<String>,
}

/// The tables of a record, of those below a heading that holds these words.
fn tables(record: &str, heading: &str) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    let (mut is_wanted, mut in_table) = (heading.is_empty(), false);
    for line in record.lines() {
        if line.starts_with('#') {
            is_wanted = line.contains(heading);
        }
        let is_row = line.starts_with('|');
        if is_row && is_wanted && !in_table {
            tables.push(Table { header: line.to_owned(), rows: vec![] });
        } else if is_row
            && is_wanted
            && !line.starts_with("|---")
            && let Some(table) = tables.last_mut()
        {
            table.rows.push(line.to_owned());
        }
        in_table = is_row;
    }
    tables
}

/// A table of a page, renewed: as a whole where the page shows all rows, else row by row.
fn refreshed_table(old: &[&str], tables: &[Table]) -> Result<Vec<String>> {
    let [header, line, old_rows @ ..] = old else { bail!("a table without rows: {old:?}") };
    let alike: Vec<&Table> = tables.iter().filter(|table| table.header == **header).collect();
    let mut new = vec![(*header).to_owned(), (*line).to_owned()];
    if let [only] = alike[..]
        && only.rows.len() == old_rows.len()
    {
        new.extend(only.rows.iter().cloned());
        return Ok(new);
    }
    let rows: Vec<&str> = alike.iter().flat_map(|table| table.rows.iter().map(String::as_str)).collect();
    for old in old_rows {
        new.push(row_like(old, &rows)?.to_owned());
    }
    Ok(new)
}

/// The row that begins with as few of the same cells as tell it from all others.
fn row_like<'a>(old: &str, rows: &[&'a str]) -> Result<&'a str> {
    for (at, _) in old.match_indices('|').skip(1) {
        let beginning = &old[..=at];
        let mut alike = rows.iter().filter(|row| row.starts_with(beginning));
        match (alike.next(), alike.next()) {
            (Some(row), None) => return Ok(row),
            (None, _) => bail!("the record has no row that begins with {beginning}"),
            _ => {}
        }
    }
    bail!("the record has several rows like {old}; name a heading: FILE # WORDS")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = "machine: x\n\n### small\n\n| a | b | c |\n|---|---|---|\n| x | 1 | 5.5 |\n| x | 2 | 6.5 |\n| y | 1 | 7 |\n\n\
                          ### large\n\n| a | b | c |\n|---|---|---|\n| x | 1 | 50 |\n";

    fn page(text: &str) -> Result<String> {
        let root = std::env::temp_dir().join(format!(
            "warpath-figures-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        std::fs::create_dir_all(root.join("r"))?;
        std::fs::write(root.join("r/2026-01-01-core.csv"), "key,value\nk,1\n")?;
        std::fs::write(root.join("r/2026-02-01-core.csv"), "key,value\nk.b,7\nk,34.567\n")?;
        std::fs::write(root.join("r/2026-02-01-core.txt"), RECORD)?;
        std::fs::write(root.join("r/2026-03-01-more-core.txt"), "")?;
        let result = refreshed(text, &root);
        std::fs::remove_dir_all(root)?;
        result
    }

    #[test]
    fn numbers_are_those_of_the_newest_record_as_long_as_before() {
        let old =
            "1.25x <!-- record: r/2026-01-01-core.csv k --> (9<!-- record: r/2026-02-01-core.csv k.b -->)\n";
        let new =
            "34.57x <!-- record: r/2026-02-01-core.csv k --> (7<!-- record: r/2026-02-01-core.csv k.b -->)\n";
        assert_eq!(page(old).unwrap(), new);
        assert_eq!(page(&format!("```\n{old}```\n")).unwrap(), format!("```\n{old}```\n"));
        assert!(page("1 <!-- record: r/2026-01-01-core.csv other -->\n").is_err());
        assert!(page("none <!-- record: r/2026-01-01-core.csv k -->\n").is_err());
    }

    #[test]
    fn rows_are_found_by_the_cells_in_front() {
        let rows = |rows: &str, heading: &str| {
            let mark = |date: &str| {
                format!("<!-- record: r/{date}-core.txt{heading} -->\n| a | b | c |\n|---|---|---|\n")
            };
            let new = page(&format!("{}{rows}<!-- /record -->\n", mark("2026-01-01")));
            new.map(|new| new.strip_prefix(&mark("2026-02-01")).unwrap().replace("<!-- /record -->\n", ""))
        };
        assert_eq!(
            rows("| x | 2 | 0 |\n| y | 9 | 0 |\n", " # small").unwrap(),
            "| x | 2 | 6.5 |\n| y | 1 | 7 |\n"
        );
        assert_eq!(
            rows("| z | 9 | 9 |\n", " # large").unwrap(),
            "| x | 1 | 50 |\n",
            "all rows, whatever they are called"
        );
        assert!(rows("| x | 1 | 0 |\n| y | 1 | 0 |\n", "").is_err(), "two tables have such a row");
        assert!(rows("| z | 1 | 0 |\n| y | 1 | 0 |\n", " # small").is_err());
        assert!(page("<!-- record: r/2026-01-01-core.txt -->\n").is_err());
    }
}
