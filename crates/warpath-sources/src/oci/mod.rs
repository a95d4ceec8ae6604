//! Container images: OCI image layouts (a directory or an archive of one) and archives of `docker save`.
//!
//! Layers are applied in order as the OCI image specification says: an upper entry replaces a lower one of its
//! path, a directory over a directory joins it, `.wh.NAME` removes what lower layers hold of that name, and
//! `.wh..wh..opq` all that they hold in its directory.
//!
//! Every blob that is read is compared with the digest that leads to it: manifests and layers of an OCI layout,
//! the configuration and the unpacked layers of `docker save`. `index.json` and `manifest.json` have none.

use crate::progress::Meter;
use crate::tree::Tree;
use crate::{ReadOptions, SourceError, Summary, compressed, tar};
use serde_json::Value;
use std::path::Path;
use warpath_core::Namespace;

mod blobs;
mod digest;

use blobs::Blobs;
use digest::{Checked, Digest};

/// Which image is read where there are several.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImageChoice {
    /// Its name: as in the annotation `org.opencontainers.image.ref.name`, as in `io.containerd.image.name` with or
    /// without `docker.io/library/` or `docker.io/`, as in `RepoTags`; or its digest.
    pub name: Option<String>,
    /// Its platform, such as `linux/arm64` or, where the variant matters, `linux/arm/v7`. Default: Linux on this
    /// machine's processor.
    pub platform: Option<String>,
}

/// The namespace of the image at `path`: a directory with an OCI image layout, or an archive of such a layout or of
/// `docker save`, plain or compressed (which is unpacked to an unnamed temporary file first).
///
/// # Errors
/// When the image can't be read, lacks a blob, holds one of another digest than promised
/// ([`SourceError::WrongDigest`]) or several images none of which was chosen, or the namespace is full.
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
    let sizes = layers.iter().filter_map(|layer| blobs.size(&layer.name));
    // An archive may claim any size for what it holds.
    let total = sizes.fold(0, u64::saturating_add);
    let mut meter = Meter::new(options.on_progress, Some(total));
    let mut tree = Tree::new(tar::RULES).exclude(options.exclude);
    for layer in layers {
        apply(&blobs, layer, &mut tree, &mut meter)?;
    }
    meter.report();
    tree.finish().map_err(SourceError::full(path))
}

/// A layer, and what is known of its bytes.
struct Layer {
    /// Where it lies in the image.
    name: String,
    /// The digest of the blob as it lies there.
    packed: Option<Digest>,
    /// The digest of the archive that is in it.
    unpacked: Option<Digest>,
}

/// Puts the members of a layer over those of lower ones.
fn apply(blobs: &Blobs, layer: Layer, tree: &mut Tree<'_>, meter: &mut Meter<'_>) -> Result<(), SourceError> {
    let name = blobs.path().join(&layer.name);
    let mut blob = Checked::new(meter.count(blobs.reader(&layer.name)?), layer.packed);
    let content = compressed::decompress(&mut blob).map_err(SourceError::io(&name))?;
    let mut content = Checked::new(content, layer.unpacked);
    tree.begin_layer().map_err(SourceError::full(&name))?;
    let applied = tar::apply(&mut content, &name, true, tree, meter);
    // A damaged blob is told as such, and not by what its damage led to.
    let unpacked = content.finish(blobs.path(), &layer.name);
    blob.finish(blobs.path(), &layer.name)?;
    match unpacked {
        Err(wrong @ SourceError::WrongDigest { .. }) => Err(wrong),
        unpacked => applied.and(unpacked),
    }
}

/// The layers of the chosen image of `manifest.json`, lowest first.
fn docker_layers(blobs: &Blobs, choice: &ImageChoice) -> Result<Vec<Layer>, SourceError> {
    let manifest = blobs.json("manifest.json", None)?;
    let images = manifest.as_array().map(Vec::as_slice).unwrap_or_default();
    let names = |image: &Value| strings(&image["RepoTags"]);
    let chosen: Vec<&Value> = images
        .iter()
        .filter(|image| choice.name.as_ref().is_none_or(|name| names(image).contains(name)))
        .collect();
    match chosen.as_slice() {
        [image] => saved_layers(blobs, image),
        _ => Err(undecided(blobs, images.iter().map(|image| names(image).join(", ")).collect())),
    }
}

/// The layers of an image of `docker save`, with the digests that its configuration tells.
fn saved_layers(blobs: &Blobs, image: &Value) -> Result<Vec<Layer>, SourceError> {
    let names = strings(&image["Layers"]);
    let mut unpacked = Vec::new();
    if let Some(config) = image["Config"].as_str().filter(|config| blobs.contains(config)) {
        let config = blobs.json(config, Digest::of_name(config))?;
        unpacked = strings(&config["rootfs"]["diff_ids"]);
        if !unpacked.is_empty() && unpacked.len() != names.len() {
            let (listed, known) = (names.len(), unpacked.len());
            let reason = format!("`manifest.json` lists {listed} layers, the configuration {known}");
            return Err(SourceError::malformed(blobs.path(), reason));
        }
    }
    let mut unpacked = unpacked.iter();
    names
        .into_iter()
        .map(|name| {
            let unpacked = unpacked.next().map(|digest| parse(blobs, digest)).transpose()?;
            Ok(Layer { packed: Digest::of_name(&name), name, unpacked })
        })
        .collect()
}

/// How deep indexes may nest: an index of images, an index of platforms, and one to spare.
const MAX_NESTING: usize = 3;

/// The layers of the chosen image of `index.json`, lowest first.
fn oci_layers(blobs: &Blobs, choice: &ImageChoice) -> Result<Vec<Layer>, SourceError> {
    let mut document = blobs.json("index.json", None)?;
    let mut by_name = choice.name.as_deref();
    for _ in 0..MAX_NESTING {
        let Some(manifests) = document["manifests"].as_array() else { break };
        let chosen = choose(manifests, by_name, choice.platform.as_deref())
            .ok_or_else(|| undecided(blobs, manifests.iter().map(describe).collect()))?;
        // The name belongs to the outermost index; what it leads to differs by platform alone.
        by_name = None;
        let digest = parse(blobs, chosen["digest"].as_str().unwrap_or_default())?;
        document = blobs.json(&digest.blob(), Some(digest))?;
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
            let digest = parse(blobs, layer["digest"].as_str().unwrap_or_default())?;
            Ok(Layer { name: digest.blob(), packed: Some(digest), unpacked: None })
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
    let fitting: Vec<&Value> =
        named.iter().copied().filter(|manifest| is_of(manifest, &wanted) == Some(true)).collect();
    match (fitting.as_slice(), named.as_slice()) {
        ([only], _) => Some(only),
        // A single image that does not tell its platform, or that nobody asked to be of another.
        ([], [only]) if platform.is_none() || platform_of(only).is_none() => Some(only),
        _ => None,
    }
}

fn has_name(manifest: &Value, name: &str) -> bool {
    manifest["annotations"][REF_NAME] == name
        || manifest["digest"] == name
        || manifest["annotations"][IMAGE_NAME].as_str().is_some_and(|full| short(full) == short(name))
}

/// The name that its writer gave an image; of Docker since 25 it is the tag alone.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The full name of an image, with its registry, as containerd and Docker since 25 write it.
const IMAGE_NAME: &str = "io.containerd.image.name";

/// The name as people write it: without the registry that goes without saying.
fn short(name: &str) -> &str {
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    name.strip_prefix("library/").unwrap_or(name)
}

/// Whether a manifest is of the platform, and of its variant where one is asked for; `None` where it does not tell.
fn is_of(manifest: &Value, wanted: &str) -> Option<bool> {
    let platform = platform_of(manifest)?;
    let variant = platform.strip_prefix(wanted);
    Some(variant.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

fn platform_of(manifest: &Value) -> Option<String> {
    let platform = &manifest["platform"];
    let (os, architecture) = (platform["os"].as_str()?, platform["architecture"].as_str()?);
    let variant = platform["variant"].as_str().map(|variant| format!("/{variant}"));
    Some(format!("{os}/{architecture}{}", variant.unwrap_or_default()))
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
    let annotations = &manifest["annotations"];
    let name = annotations[IMAGE_NAME].as_str().map(short).or_else(|| annotations[REF_NAME].as_str());
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

fn parse(blobs: &Blobs, digest: &str) -> Result<Digest, SourceError> {
    Digest::parse(digest).ok_or_else(|| {
        let reason = format!("`{digest}` is no digest that can be checked: sha256 and sha512 are");
        SourceError::malformed(blobs.path(), reason)
    })
}

fn strings(array: &Value) -> Vec<String> {
    array.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
