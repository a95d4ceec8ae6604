//! Writes the seeds of every target into `FOLDER/TARGET/`.
//!
//! usage: seeds FOLDER

use std::io::Write;
use std::path::Path;
use warpath_fuzz::{plocate, small_index};

fn main() {
    let folder = std::env::args().nth(1).expect("usage: seeds FOLDER");
    let seeds = Seeds(Path::new(&folder));
    seeds.indexes();
    seeds.texts();
    seeds.archives();
    seeds.databases();
    #[cfg(feature = "tables")]
    seeds.tables();
}

/// The folder of all corpora.
struct Seeds<'p>(&'p Path);

impl Seeds<'_> {
    fn put(&self, target: &str, name: &str, flags: &[u8], content: &[u8]) {
        let folder = self.0.join(target);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("seed-{name}")), [flags, content].concat()).unwrap();
    }

    fn indexes(&self) {
        let index = small_index();
        self.put("open_index", "small", &[], &index);
        self.put("wgpu", "raw", &[1], &index);
        // Bytes of the header and of every section, changed.
        for (i, at) in (0..index.len()).step_by(index.len() / 24).enumerate() {
            let change = [(at as u32).to_le_bytes()[..3].to_vec(), vec![0xFF]].concat();
            self.put("wgpu", &format!("changed-{i}"), &[0], &change);
            self.put("damaged_index", &format!("changed-{i}"), &[], &change);
        }
    }

    fn texts(&self) {
        let lines = b"usr/bin/a\n/usr/lib/\nusr/../x\n./a//b\n\xFF\n";
        self.put("list", "lines", &[0], lines);
        self.put("list", "nul", &[1], &lines.map(|byte| if byte == b'\n' { 0 } else { byte }));
        let columns =
            b"12\tf\t5\t1700000000.5000000000\t\tusr/a\n13\tl\t1\t1\ta\tusr/l\n12\tf\t5\t1\t\tusr/b\n";
        self.put("list", "columns", &[2], columns);
        self.put("list", "columns-nul", &[3], &columns.map(|byte| if byte < 32 { 0 } else { byte }));
        let rows =
            b"path,size,mtime,type\na/b,1,2024-01-01T00:00:00Z,file\n\"x,\"\"y\"\"\",2,3,d\na%20b+,,,\n";
        self.put("csv", "header", &[1, 1], rows);
        self.put("csv", "bare", &[0, 0], b"a,1\nb/,2\n");
        let contents =
            b"bin/ls utils/coreutils\nusr/a b c  admin/x,net/y\nusr/share/doc/x/changelog.gz doc/x\n";
        self.put("contents", "plain", &[], contents);
        self.put("contents", "gzip", &[], &gzip(contents));
        self.put("contents", "zstd", &[], &zstd(contents));
        for (i, path) in
            ["/", "lib/lib1.so", "usr/lib/up", "l", "h/", "usr/../h", "usr/p/x", "none/.."].iter().enumerate()
        {
            self.put("path", &i.to_string(), &[i as u8 * 5], path.as_bytes());
        }
    }

    fn archives(&self) {
        let archive = archive();
        for (name, bytes) in [("plain", archive.clone()), ("gzip", gzip(&archive)), ("zstd", zstd(&archive))]
        {
            self.put("tar", name, &[1, 1], &bytes);
        }
        self.put("tar", "sealed", &[1, 0], &archive);
        let layer = [&(archive.len() as u16).to_le_bytes()[..], &archive].concat();
        for (name, flags) in [("oci", 0), ("docker", 4)] {
            self.put("oci", name, &[flags], &[&layer[..], &layer].concat());
            self.put("oci", &format!("raw-{name}"), &[2], &warpath_fuzz::image(flags != 0, false, &layer));
        }
        let index = br#"{"manifests":[{"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","platform":{"os":"linux","architecture":"amd64"}}]}"#;
        self.put("oci", "json", &[8], &[&(index.len() as u16).to_le_bytes()[..], index, &layer].concat());
    }

    fn databases(&self) {
        let blocks: [&[u8]; 2] = [b"/etc\0/etc/passwd\0/usr/bin/a\0", b"/usr\0/usr/bin\0/usr/bin/b"];
        self.put("plocate", "blocks", &[0], &blocks.join(&[0, 0xFF][..]));
        self.put("plocate", "raw", &[1], &plocate(&blocks));
    }

    #[cfg(feature = "tables")]
    fn tables(&self) {
        use arrow_array::{
            ArrayRef, Int64Array, RecordBatch, StringArray, StringViewArray, TimestampMillisecondArray,
        };
        use std::sync::Arc;
        let columns: [(&str, ArrayRef); 5] = [
            ("key", Arc::new(StringViewArray::from(vec!["data/", "data/a longer name than 12", "a"]))),
            ("type", Arc::new(StringArray::from(vec![None, Some("f"), Some("symlink")]))),
            ("target", Arc::new(StringArray::from(vec![None, None, Some("data/x")]))),
            ("size", Arc::new(Int64Array::from(vec![Some(0), None, Some(6)]))),
            ("last_modified", Arc::new(TimestampMillisecondArray::from(vec![1, 2, 3]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut file = arrow_ipc::writer::FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        file.write(&batch).unwrap();
        self.put("arrow", "file", &[], &file.into_inner().unwrap());
        let mut stream = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        stream.write(&batch).unwrap();
        self.put("arrow", "stream", &[], &stream.into_inner().unwrap());
        use parquet::basic::Compression;
        for (name, compression) in [("plain", Compression::UNCOMPRESSED), ("snappy", Compression::SNAPPY)] {
            let properties =
                parquet::file::properties::WriterProperties::builder().set_compression(compression);
            let properties = Some(properties.build());
            let mut writer =
                parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), properties).unwrap();
            writer.write(&batch).unwrap();
            self.put("parquet", name, &[], &writer.into_inner().unwrap());
        }
    }
}

/// Members of every kind, a long name and a whiteout.
fn archive() -> Vec<u8> {
    use tar::EntryType;
    let mut archive = tar::Builder::new(Vec::new());
    let long = format!("{}/x", "long".repeat(40));
    for (name, kind, target) in [
        ("usr/", EntryType::Directory, ""),
        ("usr/a", EntryType::Regular, ""),
        ("lib", EntryType::Symlink, "usr"),
        ("lib/b", EntryType::Link, "usr/a"),
        (&long, EntryType::Regular, ""),
        ("usr/.wh.a", EntryType::Regular, ""),
        ("usr/.wh..wh..opq", EntryType::Regular, ""),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        if target.is_empty() {
            archive.append_data(&mut header, name, &b""[..]).unwrap();
        } else {
            archive.append_link(&mut header, name, target).unwrap();
        }
    }
    archive.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}
