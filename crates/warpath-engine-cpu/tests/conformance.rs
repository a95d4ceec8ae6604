//! The conformance suite through every instruction set of this machine; one that it lacks is a visible skip.

use warpath_core::{Engine, EngineError};
use warpath_engine_cpu::{CpuEngine, Isa};

fn with_isa(isa: Isa) -> Result<Box<dyn Engine>, EngineError> {
    match CpuEngine::with_threads(2)?.with_isa(isa) {
        Some(engine) => Ok(Box::new(engine)),
        None => Err(EngineError::Unavailable {
            engine: name_of(isa),
            reason: format!("this machine has no {}", isa.name()),
        }),
    }
}

/// What `WARPATH_MUST_RUN` calls an instruction set that may not be skipped.
fn name_of(isa: Isa) -> &'static str {
    match isa {
        Isa::Avx512 => "cpu-avx512",
        Isa::Avx2 => "cpu-avx2",
        Isa::Neon => "cpu-neon",
        Isa::Portable => "cpu-portable",
    }
}

mod best {
    use super::*;
    warpath_conformance::conformance_tests!(|| Ok(Box::new(CpuEngine::new()) as Box<dyn Engine>));
}

mod portable {
    use super::*;
    warpath_conformance::conformance_tests!(|| with_isa(Isa::Portable));
}

mod avx2 {
    use super::*;
    warpath_conformance::conformance_tests!(|| with_isa(Isa::Avx2));
}

mod avx512 {
    use super::*;
    warpath_conformance::conformance_tests!(|| with_isa(Isa::Avx512));
}

mod neon {
    use super::*;
    warpath_conformance::conformance_tests!(|| with_isa(Isa::Neon));
}
