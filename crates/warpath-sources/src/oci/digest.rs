//! Digests of blobs, and readers that check them.

use crate::SourceError;
use sha2::{Digest as _, Sha256, Sha512};
use std::io::Read;
use std::path::Path;

/// What a manifest says of a blob's bytes: `sha256:0f..`, or `sha512:..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Digest {
    algorithm: Algorithm,
    /// In lower-case hexadecimal digits, as the specification demands.
    hash: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Sha256,
    Sha512,
}

impl Digest {
    /// The digest of a text; `None` where it is none, or of another algorithm.
    pub fn parse(text: &str) -> Option<Digest> {
        let (algorithm, hash) = text.split_once(':')?;
        let (algorithm, n_digits) = match algorithm {
            "sha256" => (Algorithm::Sha256, 64),
            "sha512" => (Algorithm::Sha512, 128),
            _ => return None,
        };
        let is_hash =
            hash.len() == n_digits && hash.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        is_hash.then(|| Digest { algorithm, hash: hash.to_owned() })
    }

    /// Where the blob lies in an image: `blobs/sha256/0f..`.
    pub fn blob(&self) -> String {
        format!("blobs/{}/{}", self.algorithm.name(), self.hash)
    }

    /// The digest that a file's name holds, as `docker save` names files: `blobs/sha256/0f..`, or `0f...json`.
    pub fn of_name(name: &str) -> Option<Digest> {
        let hash = name.strip_prefix("blobs/sha256/").or_else(|| name.strip_suffix(".json"))?;
        Digest::parse(&format!("sha256:{hash}"))
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hash)
    }
}

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha512 => "sha512",
        }
    }
}

/// A reader that knows at its end whether it gave what was promised; without a digest all is right.
pub(super) struct Checked<R> {
    reader: R,
    promised: Option<(Digest, Hasher)>,
}

enum Hasher {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl<R: Read> Checked<R> {
    pub fn new(reader: R, promised: Option<Digest>) -> Checked<R> {
        let promised = promised.map(|digest| {
            let hasher = match digest.algorithm {
                Algorithm::Sha256 => Hasher::Sha256(Sha256::new()),
                Algorithm::Sha512 => Hasher::Sha512(Sha512::new()),
            };
            (digest, hasher)
        });
        Checked { reader, promised }
    }

    /// Reads what is left, and compares. `blob` of the image at `image` is named in errors.
    pub fn finish(mut self, image: &Path, blob: &str) -> Result<(), SourceError> {
        std::io::copy(&mut self, &mut std::io::sink()).map_err(SourceError::io(&image.join(blob)))?;
        let Some((promised, hasher)) = self.promised else { return Ok(()) };
        let hash = match hasher {
            Hasher::Sha256(hasher) => hexadecimal(&hasher.finalize()),
            Hasher::Sha512(hasher) => hexadecimal(&hasher.finalize()),
        };
        if hash == promised.hash {
            return Ok(());
        }
        let found = Digest { hash, ..promised.clone() };
        Err(SourceError::WrongDigest {
            path: image.to_path_buf(),
            blob: blob.to_owned(),
            promised: promised.to_string(),
            found: found.to_string(),
        })
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n_bytes = self.reader.read(buffer)?;
        match &mut self.promised {
            Some((_, Hasher::Sha256(hasher))) => hasher.update(&buffer[..n_bytes]),
            Some((_, Hasher::Sha512(hasher))) => hasher.update(&buffer[..n_bytes]),
            None => {}
        }
        Ok(n_bytes)
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The digest of `bytes`, for tests.
#[cfg(test)]
pub(super) fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hexadecimal(&Sha256::digest(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of FIPS 180-2.
    const ABC_256: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const ABC_512: &str = "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

    #[test]
    fn what_is_promised_is_compared() {
        for promised in [ABC_256, ABC_512] {
            let digest = Digest::parse(promised).unwrap();
            assert_eq!(digest.to_string(), promised);
            let check =
                |bytes: &[u8]| Checked::new(bytes, Some(digest.clone())).finish("image.tar".as_ref(), "blob");
            check(b"abc").unwrap();
            let error = check(b"abd").unwrap_err();
            assert!(matches!(&error, SourceError::WrongDigest { blob, .. } if blob == "blob"), "{error}");
            assert!(error.to_string().contains(promised), "{error}");
        }
        Checked::new(&b"any"[..], None).finish("image.tar".as_ref(), "blob").unwrap();
    }

    #[test]
    fn digests_are_read() {
        assert_eq!(Digest::parse(ABC_256).unwrap().blob(), format!("blobs/sha256/{}", &ABC_256[7..]));
        assert_eq!(Digest::of_name(&format!("{}.json", &ABC_256[7..])), Digest::parse(ABC_256));
        assert_eq!(Digest::of_name(&format!("blobs/sha256/{}", &ABC_256[7..])), Digest::parse(ABC_256));
        let upper = ABC_256.to_uppercase();
        for text in ["", "sha256", "sha256:", "sha256:aa", "sha256:../../../etc/passwd", "md5:00", &upper] {
            assert_eq!(Digest::parse(text), None, "{text}");
        }
        assert_eq!(Digest::of_name("layer.tar"), None);
    }
}
