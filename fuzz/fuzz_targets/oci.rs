//! Images: any bytes as an archive, and well-formed images around any layers, whose digests are right.
#![no_main]

use libfuzzer_sys::fuzz_target;
use warpath_fuzz::{AnonymousFile, image, read, seal_tar};
use warpath_sources::oci::{ImageChoice, read_oci};

fuzz_target!(|input: (u8, &[u8])| {
    let (flags, bytes) = input;
    let choice = ImageChoice { name: (flags & 1 != 0).then(|| "a".to_owned()), platform: None };
    let archive = if flags & 2 != 0 {
        let mut archive = bytes.to_vec();
        seal_tar(&mut archive);
        archive
    } else {
        image(flags & 4 != 0, flags & 8 != 0, bytes)
    };
    let file = AnonymousFile::new(&archive);
    read(|options| read_oci(file.path(), &choice, options));
});
