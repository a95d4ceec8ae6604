//! Container images: OCI image layouts (a directory or an archive of one) and archives of `docker save`.
//!
//! Layers are applied in order as the OCI image specification says: an upper entry replaces a lower one of its
//! path, a directory over a directory joins it, `.wh.NAME` removes what lower layers hold of that name, and
//! `.wh..wh..opq` all that they hold in its directory. Digests are not checked: whoever doubts a download has
//! `skopeo` or `crane` check it.

use crate::progress::Meter;
use crate::tree::Tree;
use crate::{ReadOptions, SourceError, Summary, compressed, tar};
use serde_json::Value;
use std::path::Path;
use warpath_core::Namespace;

mod blobs;

use blobs::Blobs;

/// Which image is read where there are several.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImageChoice {
    /// Its name, as in the annotation `org.opencontainers.image.ref.name`, in `RepoTags`, or its digest.
    pub name: Option<String>,
    /// Its platform, such as `linux/arm64`. Default: Linux on this machine's processor.
    pub platform: Option<String>,
}

/// The namespace of the image at `path`: a directory with an OCI image layout, or an archive of such a layout or of
/// `docker save`, plain or compressed (which is unpacked to an unnamed temporary file first).
///
/// # Errors
/// When the image can't be read, lacks a blob, holds several images none of which was chosen, or the namespace is full.
pub fn read_oci(
    path: &Path,
    choice: &ImageChoice,
    options: ReadOptions<'_>,
) -> Result<(Namespace, Summary), SourceError> {
    let blobs = Blobs::open(path)?;
    let layers = if blobs.contains("index.json") {
        oci_layers(&blobs, choice)?
    } else if blobs.contains("manifest.json") {
        docker_layers(&blobs, choice)?
    } else {
        let reason =
            "this is no image: it holds neither `index.json` (OCI) nor `manifest.json` (docker save)";
        return Err(SourceError::malformed(path, reason));
    };
    let total: u64 = layers.iter().map(|layer| blobs.size(layer).unwrap_or(0)).sum();
    let mut meter = Meter::new(options.on_progress, Some(total));
    let mut tree = Tree::new(tar::RULES).exclude(options.exclude);
    for layer in &layers {
        let blob = meter.count(blobs.reader(layer)?);
        let name = path.join(layer);
        let content = compressed::decompress(blob).map_err(SourceError::io(&name))?;
        tree.begin_layer().map_err(SourceError::full(&name))?;
        tar::apply(content, &name, true, &mut tree, &mut meter)?;
    }
    meter.report();
    tree.finish().map_err(SourceError::full(path))
}

/// Names of the layers of the chosen image of `manifest.json`, lowest first.
fn docker_layers(blobs: &Blobs, choice: &ImageChoice) -> Result<Vec<String>, SourceError> {
    let manifest = blobs.json("manifest.json")?;
    let images = manifest.as_array().map(Vec::as_slice).unwrap_or_default();
    let names = |image: &Value| strings(&image["RepoTags"]);
    let chosen: Vec<&Value> = images
        .iter()
        .filter(|image| choice.name.as_ref().is_none_or(|name| names(image).contains(name)))
        .collect();
    match chosen.as_slice() {
        [image] => Ok(strings(&image["Layers"])),
        _ => Err(undecided(blobs, images.iter().map(|image| names(image).join(", ")).collect())),
    }
}

/// How deep indexes may nest: an index of images, an index of platforms, and one to spare.
const MAX_NESTING: usize = 3;

/// Names of the layers of the chosen image of `index.json`, lowest first.
fn oci_layers(blobs: &Blobs, choice: &ImageChoice) -> Result<Vec<String>, SourceError> {
    let mut document = blobs.json("index.json")?;
    let mut by_name = choice.name.as_deref();
    for _ in 0..MAX_NESTING {
        let Some(manifests) = document["manifests"].as_array() else { break };
        let chosen = choose(manifests, by_name, choice.platform.as_deref())
            .ok_or_else(|| undecided(blobs, manifests.iter().map(describe).collect()))?;
        // The name belongs to the outermost index; what it leads to differs by platform alone.
        by_name = None;
        document = blobs.json(&blob_name(blobs, &chosen["digest"])?)?;
    }
    let Some(layers) = document["layers"].as_array() else {
        return Err(SourceError::malformed(blobs.path(), "the manifest lists no layers"));
    };
    layers
        .iter()
        .map(|layer| {
            let media_type = layer["mediaType"].as_str().unwrap_or_default();
            if media_type.contains("encrypted") {
                return Err(SourceError::malformed(
                    blobs.path(),
                    "a layer is encrypted: decrypt the image first",
                ));
            }
            blob_name(blobs, &layer["digest"])
        })
        .collect()
}

/// The one manifest that fits; `None` where none or several do.
fn choose<'m>(manifests: &'m [Value], name: Option<&str>, platform: Option<&str>) -> Option<&'m Value> {
    let named: Vec<&Value> = manifests
        .iter()
        .filter(|manifest| name.is_none_or(|name| has_name(manifest, name)))
        // Attestations lie beside images, as of no platform.
        .filter(|manifest| manifest["platform"]["os"] != "unknown")
        .collect();
    let wanted = platform.map_or_else(|| format!("linux/{}", architecture()), str::to_owned);
    let fitting: Vec<&Value> = named
        .iter()
        .copied()
        .filter(|manifest| platform_of(manifest).is_some_and(|it| it == wanted))
        .collect();
    match (fitting.as_slice(), named.as_slice()) {
        ([only], _) => Some(only),
        // A single image that does not tell its platform, or that nobody asked to be of another.
        ([], [only]) if platform.is_none() || platform_of(only).is_none() => Some(only),
        _ => None,
    }
}

fn has_name(manifest: &Value, name: &str) -> bool {
    let annotations = &manifest["annotations"];
    ["org.opencontainers.image.ref.name", "io.containerd.image.name"]
        .iter()
        .any(|key| annotations[*key] == name)
        || manifest["digest"] == name
}

fn platform_of(manifest: &Value) -> Option<String> {
    let platform = &manifest["platform"];
    Some(format!("{}/{}", platform["os"].as_str()?, platform["architecture"].as_str()?))
}

/// This machine's processor as images name it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}

fn describe(manifest: &Value) -> String {
    let name = manifest["annotations"]["org.opencontainers.image.ref.name"].as_str();
    let digest = manifest["digest"].as_str().unwrap_or("?");
    format!("{} ({})", name.unwrap_or(digest), platform_of(manifest).unwrap_or_else(|| "any platform".into()))
}

fn undecided(blobs: &Blobs, images: Vec<String>) -> SourceError {
    let reason = format!(
        "none, or more than one, of its {} images fits: {}; choose one by its name and platform",
        images.len(),
        images.join("; ")
    );
    SourceError::malformed(blobs.path(), reason)
}

/// Where the blob of a digest lies: `sha256:0f..` at `blobs/sha256/0f..`.
fn blob_name(blobs: &Blobs, digest: &Value) -> Result<String, SourceError> {
    let digest = digest.as_str().unwrap_or_default();
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match digest.split_once(':') {
        Some((algorithm, hash)) if plain(algorithm) && plain(hash) => Ok(format!("blobs/{algorithm}/{hash}")),
        _ => Err(SourceError::malformed(blobs.path(), format!("`{digest}` is no digest"))),
    }
}

fn strings(array: &Value) -> Vec<String> {
    array.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
