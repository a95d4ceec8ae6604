//! Files of sources, well-formed around any content.

use rustix::fs::{MemfdFlags, memfd_create};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use warpath_core::Namespace;
use warpath_sources::{ReadOptions, SourceError, Summary};

/// Reads a source; the tree that comes out is sound.
pub fn read(read: impl FnOnce(ReadOptions<'_>) -> Result<(Namespace, Summary), SourceError>) {
    let options = ReadOptions { exclude: None, on_progress: &mut warpath_sources::silent };
    if let Ok((namespace, _)) = read(options) {
        namespace.check().expect("the tree of a source is sound");
    }
}

/// A file in memory that can be opened by a path while this lives.
pub struct AnonymousFile {
    path: PathBuf,
    _file: File,
}

impl AnonymousFile {
    pub fn new(bytes: &[u8]) -> AnonymousFile {
        let mut file = File::from(memfd_create("fuzz", MemfdFlags::CLOEXEC).unwrap());
        file.write_all(bytes).unwrap();
        AnonymousFile { path: format!("/proc/self/fd/{}", file.as_raw_fd()).into(), _file: file }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes the checksum of every block right, as if each were a header.
pub fn seal_tar(bytes: &mut [u8]) {
    for block in bytes.chunks_exact_mut(512) {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}

/// A database of version 1 without a dictionary, around blocks that are packed here.
pub fn plocate(blocks: &[&[u8]]) -> Vec<u8> {
    let level = ruzstd::encoding::CompressionLevel::Uncompressed;
    let mut bytes = vec![0; 112];
    bytes[..9].copy_from_slice(b"\0plocate\x01");
    bytes[20..24].copy_from_slice(&(blocks.len() as u32).to_le_bytes());
    let mut offsets = vec![bytes.len() as u64];
    for block in blocks {
        bytes.extend(ruzstd::encoding::compress_to_vec(*block, level));
        offsets.push(bytes.len() as u64);
    }
    let at = bytes.len() as u64;
    bytes[32..40].copy_from_slice(&at.to_le_bytes());
    bytes.extend(offsets.iter().flat_map(|offset| offset.to_le_bytes()));
    bytes
}

/// The archive of an image. `bytes` are its layers, each behind its length (16 bits); with `json` the first one
/// is the document that the image begins with instead.
pub fn image(is_docker: bool, json: bool, mut bytes: &[u8]) -> Vec<u8> {
    let mut parts = Vec::new();
    while let [low, high, rest @ ..] = bytes {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        parts.push(&rest[..length]);
        bytes = &rest[length..];
    }
    let document = (json && !parts.is_empty()).then(|| parts.remove(0).to_vec());
    let mut files = Vec::new();
    let mut layers = Vec::new();
    for part in parts {
        let mut layer = part.to_vec();
        seal_tar(&mut layer);
        layers.push(add_blob(&mut files, layer));
    }
    let (name, made) = if is_docker { docker(&mut files, &layers) } else { oci(&mut files, &layers) };
    files.push((name.to_owned(), document.unwrap_or(made)));
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, name, &content[..]).unwrap();
    }
    archive.into_inner().unwrap()
}

/// Adds a blob; the hash of its digest.
fn add_blob(files: &mut Vec<(String, Vec<u8>)>, content: Vec<u8>) -> String {
    let hash: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
    files.push((format!("blobs/sha256/{hash}"), content));
    hash
}

fn docker(files: &mut Vec<(String, Vec<u8>)>, layers: &[String]) -> (&'static str, Vec<u8>) {
    let ids: Vec<String> = layers.iter().map(|hash| format!("sha256:{hash}")).collect();
    let config = add_blob(files, format!(r#"{{"rootfs":{{"diff_ids":{ids:?}}}}}"#).into());
    let names: Vec<String> = layers.iter().map(|hash| format!("blobs/sha256/{hash}")).collect();
    let manifest = format!(r#"[{{"Config":"blobs/sha256/{config}","RepoTags":["a"],"Layers":{names:?}}}]"#);
    ("manifest.json", manifest.into())
}

fn oci(files: &mut Vec<(String, Vec<u8>)>, layers: &[String]) -> (&'static str, Vec<u8>) {
    let list: Vec<String> = layers.iter().map(|hash| format!(r#"{{"digest":"sha256:{hash}"}}"#)).collect();
    let manifest = add_blob(files, format!(r#"{{"layers":[{}]}}"#, list.join(",")).into());
    let annotations = r#"{"org.opencontainers.image.ref.name":"a"}"#;
    let index = format!(r#"{{"manifests":[{{"digest":"sha256:{manifest}","annotations":{annotations}}}]}}"#);
    ("index.json", index.into())
}
