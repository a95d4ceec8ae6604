//! Lists with columns.
//!
//! ```text
//! a thread: read, split, parse ──batches──▶ this thread: put into the tree
//! ```

use super::{Inodes, ListFormat, TOO_LONG, refuse};
use crate::columns::{BadField, Fields};
use crate::lines::{Line, Lines};
use crate::progress::Meter;
use crate::tree::{Kind, Tree};
use crate::{SourceError, compressed};
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};

/// Records of a batch: few enough to be in a cache when the other thread takes them.
const BATCH: usize = 1024;

/// Bytes of texts of a batch: records that are no records may be long.
const BATCH_BYTES: usize = 1 << 20;

/// Batches that wait for the tree.
const WAITING: usize = 4;

/// Puts the records of a list into the tree; what is wrong with single ones is counted.
pub(super) fn read(
    raw: impl Read + Send,
    name: &Path,
    format: &ListFormat,
    tree: &mut Tree<'_>,
    meter: &mut Meter<'_>,
) -> Result<(), SourceError> {
    std::thread::scope(|scope| {
        let (to_tree, batches) = sync_channel(WAITING);
        let (to_parser, empty) = channel();
        std::thread::Builder::new()
            .name("list".to_owned())
            .spawn_scoped(scope, move || {
                if let Err(error) = parse(raw, format, &to_tree, &empty) {
                    // Where the tree is full nobody waits for it.
                    let _ = to_tree.send(Err(error));
                }
            })
            .map_err(SourceError::io(name))?;
        let mut inodes = Inodes::default();
        for batch in batches {
            let mut batch: Batch = batch.map_err(SourceError::io(name))?;
            batch.put_into(tree, &mut inodes, meter).map_err(SourceError::full(name))?;
            batch.clear();
            // The parser may have come to its end.
            let _ = to_parser.send(batch);
        }
        Ok(())
    })
}

/// Reads the list to its end, or until nobody takes it any more.
fn parse(
    raw: impl Read,
    format: &ListFormat,
    to_tree: &SyncSender<io::Result<Batch>>,
    empty: &Receiver<Batch>,
) -> io::Result<()> {
    let mut lines = Lines::new(compressed::decompress(raw)?, format.terminator);
    let n_parts = if format.separator == format.terminator { format.columns.len() } else { 1 };
    let mut batch = Batch::default();
    while let Some(line) = lines.next_of(n_parts)? {
        batch.add(&line, format);
        if batch.records.len() >= BATCH || batch.texts.len() >= BATCH_BYTES {
            let full = std::mem::replace(&mut batch, empty.try_recv().unwrap_or_default());
            if to_tree.send(Ok(full)).is_err() {
                return Ok(());
            }
        }
    }
    let _ = to_tree.send(Ok(batch));
    Ok(())
}

/// Parsed records, and their texts one behind the other.
#[derive(Default)]
struct Batch {
    records: Vec<Parsed>,
    texts: Vec<u8>,
}

/// A record without its texts.
enum Parsed {
    Good {
        /// All but path and target.
        fields: Fields<'static>,
        path_len: usize,
        target_len: Option<usize>,
    },
    Bad {
        text_len: usize,
        why: Why,
    },
}

/// Why a record can't be read.
enum Why {
    Columns,
    Field(BadField),
}

impl Batch {
    fn clear(&mut self) {
        self.records.clear();
        self.texts.clear();
    }

    fn add(&mut self, line: &Line<'_>, format: &ListFormat) {
        let parsed = match fields_of(line, format) {
            Ok(Fields { path, target, kind, attributes, device, links, has_attributes }) => {
                self.texts.extend_from_slice(path);
                self.texts.extend_from_slice(target.unwrap_or_default());
                let fields =
                    Fields { path: &[], target: None, kind, attributes, device, links, has_attributes };
                Parsed::Good { fields, path_len: path.len(), target_len: target.map(<[u8]>::len) }
            }
            Err(why) => {
                self.texts.extend_from_slice(line.bytes);
                Parsed::Bad { text_len: line.bytes.len(), why }
            }
        };
        self.records.push(parsed);
    }

    /// Adds the records to the tree, in their order.
    fn put_into(
        &self,
        tree: &mut Tree<'_>,
        inodes: &mut Inodes,
        meter: &mut Meter<'_>,
    ) -> Result<(), warpath_core::NamespaceError> {
        let mut rest = &self.texts[..];
        let mut text = |len: usize| {
            let (text, after) = rest.split_at(len);
            rest = after;
            text
        };
        for parsed in &self.records {
            meter.record();
            match parsed {
                Parsed::Good { fields, path_len, target_len } => {
                    let (path, target) = (text(*path_len), target_len.map(&mut text));
                    inodes.add(tree, &Fields { path, target, ..*fields }, Kind::Unknown)?;
                }
                Parsed::Bad { text_len, why } => {
                    let reason = match why {
                        Why::Columns => format!("has too few columns, or is {TOO_LONG}"),
                        Why::Field(error) => error.to_string(),
                    };
                    refuse(tree, text(*text_len), &reason);
                }
            }
        }
        Ok(())
    }
}

/// The fields of a record.
fn fields_of<'l>(line: &Line<'l>, format: &ListFormat) -> Result<Fields<'l>, Why> {
    if line.cut {
        return Err(Why::Columns);
    }
    let mut parts = line.bytes.splitn(format.columns.len(), |&byte| byte == format.separator);
    let (mut fields, mut bad) = (Fields::default(), None);
    for column in &format.columns {
        let part = parts.next().ok_or(Why::Columns)?;
        if let Err(error) = fields.set(*column, part) {
            bad.get_or_insert(error);
        }
    }
    bad.map_or(Ok(fields), |error| Err(Why::Field(error)))
}
