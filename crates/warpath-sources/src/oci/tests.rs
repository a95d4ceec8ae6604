use super::*;
use crate::tar::tests::Members;
use crate::testing::{paths, quiet};
use ::tar::EntryType;
use std::io::Write;
use std::path::PathBuf;

/// Two layers that replace, join, white out and make opaque.
fn layers() -> [Vec<u8>; 2] {
    let lower = Members::new()
        .add("usr/lib/", EntryType::Directory, "", b"")
        .add("lib", EntryType::Symlink, "usr/lib", b"")
        .file("etc/a")
        .file("etc/b")
        .file("var/x/1")
        .file("var/y")
        .bytes();
    let upper = Members::new()
        .file("etc/.wh.a")
        .file("etc/c")
        .file("lib/so")
        .add("var/x/.wh..wh..opq", EntryType::Regular, "", b"")
        .file("var/x/2")
        .bytes();
    [lower, upper]
}

const EXPECTED: [&str; 11] = [
    "/etc/",
    "/etc/b",
    "/etc/c",
    "/lib -> usr/lib",
    "/usr/",
    "/usr/lib/",
    "/usr/lib/so",
    "/var/",
    "/var/x/",
    "/var/x/2",
    "/var/y",
];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// The files of an OCI layout of two images, one of them for two platforms.
fn layout() -> Vec<(&'static str, Vec<u8>)> {
    let [lower, upper] = layers();
    let zstd = ruzstd::encoding::compress_to_vec(&upper[..], ruzstd::encoding::CompressionLevel::Fastest);
    let index = r#"{"schemaVersion":2,"manifests":[
        {"mediaType":"application/vnd.oci.image.index.v1+json","digest":"sha256:aa","annotations":{"org.opencontainers.image.ref.name":"one"}},
        {"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:bb","annotations":{"org.opencontainers.image.ref.name":"two"}}]}"#;
    let platforms = r#"{"manifests":[
        {"digest":"sha256:cc","platform":{"os":"linux","architecture":"amd64"}},
        {"digest":"sha256:bb","platform":{"os":"linux","architecture":"s390x"}},
        {"digest":"sha256:ff","platform":{"os":"unknown","architecture":"unknown"}}]}"#;
    let both = r#"{"layers":[{"mediaType":"x+gzip","digest":"sha256:01"},{"digest":"sha256:02"}]}"#;
    let lower_only = r#"{"layers":[{"digest":"sha256:01"}]}"#;
    vec![
        ("oci-layout", b"{}".to_vec()),
        ("index.json", index.into()),
        ("blobs/sha256/aa", platforms.into()),
        ("blobs/sha256/bb", lower_only.into()),
        ("blobs/sha256/cc", both.into()),
        ("blobs/sha256/01", gzip(&lower)),
        ("blobs/sha256/02", zstd),
    ]
}

fn archive(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let members = files
        .iter()
        .fold(Members::new(), |members, (name, content)| members.add(name, EntryType::Regular, "", content));
    members.bytes()
}

fn read(path: &Path, name: Option<&str>, platform: Option<&str>) -> Result<Vec<String>, String> {
    let choice = ImageChoice { name: name.map(Into::into), platform: platform.map(Into::into) };
    quiet(|options| read_oci(path, &choice, options))
        .map(|(namespace, _)| paths(&namespace))
        .map_err(|error| error.to_string())
}

fn written(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn layouts_in_directories_and_archives() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in layout() {
        written(folder.path(), &format!("layout/{name}"), &content);
    }
    let archive = archive(&layout());
    let plain = written(folder.path(), "image.tar", &archive);
    let compressed = written(folder.path(), "image.tar.gz", &gzip(&archive));
    for path in [folder.path().join("layout"), plain, compressed] {
        assert_eq!(read(&path, Some("one"), Some("linux/amd64")).unwrap(), EXPECTED);
        let lower = read(&path, Some("one"), Some("linux/s390x")).unwrap();
        assert_eq!(read(&path, Some("two"), None).unwrap(), lower);
        assert!(lower.contains(&"/etc/a".into()));
        assert!(read(&path, None, None).unwrap_err().contains("2 images"));
        assert!(read(&path, Some("one"), Some("linux/arm")).unwrap_err().contains("linux/s390x"));
        assert!(read(&path, Some("three"), None).is_err());
    }
}

#[test]
fn archives_of_docker_save() {
    let [lower, upper] = layers();
    let manifest = r#"[{"Config":"c","RepoTags":["a:1","a:2"],"Layers":["l/layer.tar","u/layer.tar"]}]"#;
    let bytes = Members::new()
        .add("manifest.json", EntryType::Regular, "", manifest.as_bytes())
        .add("store/lower.tar", EntryType::Regular, "", &lower)
        .add("l/layer.tar", EntryType::Symlink, "../store/lower.tar", b"")
        .add("u/layer.tar", EntryType::Regular, "", &upper)
        .bytes();
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "saved.tar", &bytes);
    assert_eq!(read(&path, None, None).unwrap(), EXPECTED);
    assert_eq!(read(&path, Some("a:2"), None).unwrap(), EXPECTED);
    assert!(read(&path, Some("b"), None).unwrap_err().contains("a:1, a:2"));
}

#[test]
fn what_is_missing_or_no_image_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let without_blob: Vec<_> = layout().into_iter().filter(|(name, _)| *name != "blobs/sha256/02").collect();
    let path = written(folder.path(), "missing.tar", &archive(&without_blob));
    assert!(read(&path, Some("one"), Some("linux/amd64")).unwrap_err().contains("lacks `blobs/sha256/02`"));

    let path = written(folder.path(), "other.tar", &archive(&[("a", vec![])]));
    assert!(read(&path, None, None).unwrap_err().contains("no image"));

    let sneaky = r#"{"manifests":[{"digest":"sha256:../../../etc/passwd"}]}"#;
    let path = written(folder.path(), "sneaky.tar", &archive(&[("index.json", sneaky.into())]));
    assert!(read(&path, None, None).unwrap_err().contains("no digest"));

    // An index that leads to itself.
    let circle = r#"{"manifests":[{"digest":"sha256:aa"}]}"#;
    let files = [("index.json", circle.into()), ("blobs/sha256/aa", circle.into())];
    let path = written(folder.path(), "circle.tar", &archive(&files));
    assert!(read(&path, None, None).unwrap_err().contains("no layers"));
}
