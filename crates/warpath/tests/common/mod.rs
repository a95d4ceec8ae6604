//! An engine that does what a test tells it: answers, waits at a gate, fails, loses its device, panics.

#![allow(dead_code)]

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use warpath::core::{Plan, Tables};
use warpath::{Engine, EngineError, EngineInfo, OutcomesMut, PathBatch};
use warpath_engine_cpu::CpuEngine;

/// What the engine does with the next batches.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mood {
    Answers,
    Fails,
    IsLost,
    Panics,
}

pub struct TestEngine {
    cpu: CpuEngine,
    mood: AtomicU8,
    pub n_batches: AtomicU64,
    pub n_paths: AtomicU64,
    gate: Mutex<Gate>,
    opened: Condvar,
}

#[derive(Default)]
struct Gate {
    is_closed: bool,
    n_waiting: usize,
}

impl TestEngine {
    pub fn new() -> Arc<TestEngine> {
        Arc::new(TestEngine {
            cpu: CpuEngine::new(),
            mood: AtomicU8::new(Mood::Answers as u8),
            n_batches: AtomicU64::new(0),
            n_paths: AtomicU64::new(0),
            gate: Mutex::default(),
            opened: Condvar::new(),
        })
    }

    pub fn set(&self, mood: Mood) {
        self.mood.store(mood as u8, Ordering::SeqCst);
    }

    /// Batches that come from now on wait until [`TestEngine::open`].
    pub fn close(&self) {
        self.gate.lock().unwrap().is_closed = true;
    }

    pub fn open(&self) {
        self.gate.lock().unwrap().is_closed = false;
        self.opened.notify_all();
    }

    /// Returns when so many batches wait at the gate.
    pub fn wait_for(&self, n_batches: usize) {
        let mut gate = self.gate.lock().unwrap();
        while gate.n_waiting < n_batches {
            gate = self.opened.wait(gate).unwrap();
        }
    }

    pub fn batches(&self) -> u64 {
        self.n_batches.load(Ordering::SeqCst)
    }

    pub fn paths(&self) -> u64 {
        self.n_paths.load(Ordering::SeqCst)
    }

    fn pass_gate(&self) {
        let mut gate = self.gate.lock().unwrap();
        gate.n_waiting += 1;
        self.opened.notify_all();
        while gate.is_closed {
            gate = self.opened.wait(gate).unwrap();
        }
        gate.n_waiting -= 1;
    }
}

impl Engine for TestEngine {
    fn info(&self) -> EngineInfo {
        EngineInfo { name: "test", device: "does what it is told".to_owned() }
    }

    fn resolve(
        &self,
        tables: &Tables,
        plan: &Plan,
        batch: &PathBatch<'_>,
        out: OutcomesMut<'_>,
    ) -> Result<(), EngineError> {
        self.n_batches.fetch_add(1, Ordering::SeqCst);
        self.n_paths.fetch_add(batch.len() as u64, Ordering::SeqCst);
        self.pass_gate();
        match self.mood.load(Ordering::SeqCst) {
            mood if mood == Mood::Fails as u8 => {
                Err(EngineError::Failed { engine: "test", reason: "told so".to_owned() })
            }
            mood if mood == Mood::IsLost as u8 => {
                Err(EngineError::Lost { engine: "test", reason: "told so".to_owned() })
            }
            mood if mood == Mood::Panics as u8 => panic!("told so"),
            _ => self.cpu.resolve(tables, plan, batch, out),
        }
    }
}

/// Numbers from a seed, the same on every machine (SplitMix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
