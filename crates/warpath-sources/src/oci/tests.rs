use super::digest::sha256;
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

/// The files of an OCI layout.
#[derive(Default)]
struct Layout(Vec<(String, Vec<u8>)>);

impl Layout {
    /// Adds a blob; its digest.
    fn blob(&mut self, bytes: impl Into<Vec<u8>>) -> String {
        let bytes = bytes.into();
        let digest = sha256(&bytes);
        self.0.push((Digest::parse(&digest).unwrap().blob(), bytes));
        digest
    }

    fn file(&mut self, name: &str, bytes: impl Into<Vec<u8>>) {
        self.0.push((name.to_owned(), bytes.into()));
    }
}

/// The files of an OCI layout of two images, one of them for two platforms; the upper layer is the last but one.
fn layout() -> Vec<(String, Vec<u8>)> {
    let [lower, upper] = layers();
    let zstd = ruzstd::encoding::compress_to_vec(&upper[..], ruzstd::encoding::CompressionLevel::Fastest);
    let mut layout = Layout::default();
    layout.file("oci-layout", "{}");
    let lower = layout.blob(gzip(&lower));
    let lower_only = layout.blob(format!(r#"{{"layers":[{{"digest":"{lower}"}}]}}"#));
    let upper = Layout(vec![]).blob(zstd.clone());
    let both = layout.blob(format!(
        r#"{{"layers":[{{"mediaType":"x+gzip","digest":"{lower}"}},{{"digest":"{upper}"}}]}}"#
    ));
    let nowhere = sha256(b"an attestation that is not there");
    let platforms = layout.blob(format!(
        r#"{{"manifests":[
        {{"digest":"{both}","platform":{{"os":"linux","architecture":"amd64"}}}},
        {{"digest":"{lower_only}","platform":{{"os":"linux","architecture":"s390x"}}}},
        {{"digest":"{nowhere}","platform":{{"os":"unknown","architecture":"unknown"}}}}]}}"#
    ));
    layout.blob(zstd);
    layout.file(
        "index.json",
        format!(
            r#"{{"schemaVersion":2,"manifests":[
        {{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"{platforms}","annotations":{{"org.opencontainers.image.ref.name":"one"}}}},
        {{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{lower_only}","annotations":{{"org.opencontainers.image.ref.name":"two"}}}}]}}"#
        ),
    );
    layout.0
}

fn archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
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

/// An image of one file for each of these descriptors; what is in the braces besides the digest.
fn image_of(descriptors: &[(&str, &str)]) -> Vec<u8> {
    let mut layout = Layout::default();
    let manifests: Vec<String> = descriptors
        .iter()
        .map(|(file, descriptor)| {
            let layer = layout.blob(Members::new().file(file).bytes());
            let manifest = layout.blob(format!(r#"{{"layers":[{{"digest":"{layer}"}}]}}"#));
            format!(r#"{{"digest":"{manifest}",{descriptor}}}"#)
        })
        .collect();
    layout.file("index.json", format!(r#"{{"manifests":[{}]}}"#, manifests.join(",")));
    archive(&layout.0)
}

/// Docker since 25 saves an OCI layout, where `ref.name` is the tag alone.
#[test]
fn images_are_named_as_docker_names_them() {
    let named = |name| {
        format!(
            r#""annotations":{{"io.containerd.image.name":"docker.io/{name}:1","org.opencontainers.image.ref.name":"1"}}"#
        )
    };
    let [alpine, mine] = ["library/alpine", "me/mine"].map(named);
    let folder = tempfile::tempdir().unwrap();
    let image = image_of(&[("alpine", &alpine), ("mine", &mine)]);
    let path = written(folder.path(), "saved.tar", &image);
    for name in ["alpine:1", "library/alpine:1", "docker.io/alpine:1", "docker.io/library/alpine:1"] {
        assert_eq!(read(&path, Some(name), None).unwrap(), ["/alpine"], "{name}");
    }
    for name in ["me/mine:1", "docker.io/me/mine:1"] {
        assert_eq!(read(&path, Some(name), None).unwrap(), ["/mine"], "{name}");
    }
    for name in ["1", "alpine", "mine:1"] {
        let error = read(&path, Some(name), None).unwrap_err();
        assert!(error.contains("fits: alpine:1 (any platform); me/mine:1 (any platform);"), "{error}");
    }
}

#[test]
fn variants_of_a_platform_count_where_they_are_asked_for() {
    let of = |rest| format!(r#""platform":{{"os":"linux","architecture":{rest}}}"#);
    let [v5, v7, arm64] =
        [r#""arm","variant":"v5""#, r#""arm","variant":"v7""#, r#""arm64","variant":"v8""#].map(of);
    let folder = tempfile::tempdir().unwrap();
    let image = image_of(&[("v5", &v5), ("v7", &v7), ("arm64", &arm64)]);
    let path = written(folder.path(), "arm.tar", &image);
    for (platform, file) in [
        ("linux/arm/v5", "/v5"),
        ("linux/arm/v7", "/v7"),
        ("linux/arm64", "/arm64"),
        ("linux/arm64/v8", "/arm64"),
    ] {
        assert_eq!(read(&path, None, Some(platform)).unwrap(), [file], "{platform}");
    }
    for platform in ["linux/arm", "linux/arm/v6", "linux/arm64/v9", "linux/ar", "linux/arm/v"] {
        let error = read(&path, None, Some(platform)).unwrap_err();
        assert!(error.contains("(linux/arm/v5)") && error.contains("(linux/arm64/v8)"), "{error}");
    }
}

/// A layer of nearly 2^63 bytes, by its header, that is listed three times.
#[test]
fn sizes_that_no_file_has_are_an_error() {
    let manifest = br#"[{"RepoTags":["a:1"],"Layers":["l","l","l"]}]"#;
    let mut bytes = Members::new().add("manifest.json", EntryType::Regular, "", manifest).bytes();
    bytes.truncate(1024);
    let mut header = ::tar::Header::new_gnu();
    header.set_path("l").unwrap();
    header.set_size((1 << 63) - 4096);
    header.set_cksum();
    bytes.extend_from_slice(header.as_bytes());
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "saved.tar", &bytes);
    assert!(read(&path, None, None).is_err());
}

/// Right behind a layer's header, where its content would be no archive's but nothing at all.
#[test]
fn an_archive_that_is_cut_off_is_an_error() {
    let manifest = br#"[{"RepoTags":["a:1"],"Layers":["l"]}]"#;
    let members = Members::new().add("manifest.json", EntryType::Regular, "", manifest);
    let bytes = members.add("l", EntryType::Regular, "", &layers()[0]).bytes();
    let folder = tempfile::tempdir().unwrap();
    for end in [1536, 1536 + 512, 1536 + 700] {
        let path = written(folder.path(), "saved.tar", &bytes[..end]);
        let error = read(&path, None, None).unwrap_err();
        assert!(error.contains("cut off"), "{end}: {error}");
    }
}

#[test]
fn a_folder_gives_away_nothing_that_lies_outside() {
    let folder = tempfile::tempdir().unwrap();
    let outside = written(folder.path(), "outside.tar", &layers()[0]);
    let image = folder.path().join("image");
    written(&image, "inside/layer.tar", &layers()[0]);
    std::os::unix::fs::symlink("../inside/layer.tar", image.join("inside/same.tar")).unwrap();
    std::os::unix::fs::symlink(&outside, image.join("link.tar")).unwrap();
    let with = |layer: &str| {
        let manifest = format!(r#"[{{"Config":"c","RepoTags":["a"],"Layers":["{layer}"]}}]"#);
        written(&image, "manifest.json", manifest.as_bytes());
        read(&image, None, None)
    };
    assert!(with("inside/layer.tar").is_ok());
    assert!(with("inside/same.tar").is_ok());
    for layer in ["../outside.tar", "link.tar", outside.to_str().unwrap(), "/etc/passwd"] {
        let error = with(layer).unwrap_err();
        assert!(error.contains("leads out of the image"), "{layer}: {error}");
    }
}

/// As newer versions of Docker save: blobs named by digest, and a configuration that tells what is in each layer.
#[test]
fn saved_layers_are_compared_with_the_configuration() {
    let [lower, upper] = layers();
    let folder = tempfile::tempdir().unwrap();
    let saved = |packed: &[u8], ids: &[String]| {
        let mut layout = Layout::default();
        let config = layout.blob(format!(r#"{{"rootfs":{{"diff_ids":{ids:?}}}}}"#));
        let layers = [layout.blob(packed), layout.blob(&upper[..])];
        let [config, lower, upper] = [&config, &layers[0], &layers[1]].map(|digest| digest.replace(':', "/"));
        let manifest =
            format!(r#"[{{"Config":"blobs/{config}","Layers":["blobs/{lower}","blobs/{upper}"]}}]"#);
        layout.file("manifest.json", manifest);
        read(&written(folder.path(), "saved.tar", &archive(&layout.0)), None, None)
    };
    let ids = [sha256(&lower), sha256(&upper)];
    assert_eq!(saved(&lower, &ids).unwrap(), EXPECTED);
    assert_eq!(saved(&gzip(&lower), &ids).unwrap(), EXPECTED);
    let other = saved(&Members::new().file("a").bytes(), &ids).unwrap_err();
    assert!(other.contains(&format!("not {}", ids[0])), "{other}");
    assert!(saved(&lower, &ids[..1]).unwrap_err().contains("lists 2 layers, the configuration 1"));
}

#[test]
fn a_blob_that_is_not_what_its_manifest_says_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let files = layout();
    let mut n_refused = 0;
    for number in 0..files.len() {
        let mut files = files.clone();
        let (name, content) = &mut files[number];
        if !name.starts_with("blobs/") {
            continue;
        }
        // A blank behind it: harmless to JSON, and behind what unpacking reads.
        content.push(b' ');
        let name = name.clone();
        let path = written(folder.path(), "damaged.tar", &archive(&files));
        let choice = ImageChoice { name: Some("one".into()), platform: Some("linux/amd64".into()) };
        match quiet(|options| read_oci(&path, &choice, options)) {
            Err(SourceError::WrongDigest { blob, .. }) => assert_eq!(blob, name),
            // The manifest of the other image, which is not read.
            Ok(_) => continue,
            Err(error) => panic!("{name}: {error}"),
        }
        n_refused += 1;
    }
    assert_eq!(n_refused, 4);
}

#[test]
fn what_is_missing_or_no_image_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = layout();
    let (missing, _) = files.remove(files.len() - 2);
    let path = written(folder.path(), "missing.tar", &archive(&files));
    let error = read(&path, Some("one"), Some("linux/amd64")).unwrap_err();
    assert!(error.contains(&format!("lacks `{missing}`")), "{error}");

    let path = written(folder.path(), "other.tar", &archive(&[("a".into(), vec![])]));
    assert!(read(&path, None, None).unwrap_err().contains("no image"));

    for digest in ["sha256:../../../etc/passwd", "md5:d41d8cd98f00b204e9800998ecf8427e"] {
        let index = format!(r#"{{"manifests":[{{"digest":"{digest}"}}]}}"#);
        let path = written(folder.path(), "sneaky.tar", &archive(&[("index.json".into(), index.into())]));
        assert!(read(&path, None, None).unwrap_err().contains("no digest"), "{digest}");
    }

    // Indexes one in another, without end for all that is read of them.
    let mut nested = Layout::default();
    let mut inner = nested.blob(r#"{"manifests":[]}"#);
    for _ in 0..MAX_NESTING {
        inner = nested.blob(format!(r#"{{"manifests":[{{"digest":"{inner}"}}]}}"#));
    }
    nested.file("index.json", format!(r#"{{"manifests":[{{"digest":"{inner}"}}]}}"#));
    let path = written(folder.path(), "nested.tar", &archive(&nested.0));
    assert!(read(&path, None, None).unwrap_err().contains("no layers"));
}
