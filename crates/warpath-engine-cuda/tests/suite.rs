//! The conformance suite through every way that a batch can take. Without a GPU each is a visible skip.

mod variants;

use variants::{VARIANTS, make};
use warpath_conformance::suite::{Config, Part, test_part};

#[test]
fn every_variant_answers_as_the_reference_does() {
    for variant in VARIANTS {
        for part in Part::ALL {
            test_part(part, &|| make(*variant), &Config { n_random: 5_000, ..Config::default() });
        }
    }
}
