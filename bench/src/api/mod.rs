//! `GpuFilesystem` and the batcher against their targets: batches beside single calls, many tasks, choice of engines.

mod calls;
mod huge;
mod load;
mod routes;

use crate::arguments::Run;
use crate::record::Record;
use crate::trees::Tree;
use anyhow::Result;
use std::time::Duration;
use warpath::{Device, GpuFilesystem};
use warpath_workload::{Mix, PathSet};

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    run: Run,
    /// Size of the synthetic tree, as a power of two.
    #[arg(long, default_value_t = 20)]
    k: u32,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Part::Calls, Part::Batcher, Part::Load, Part::Auto])]
    only: Vec<Part>,
    /// The engines: `cpu`; `wgpu` or `wgpu:ADAPTER` (software too where it is named); `cuda` or `cuda:GPU`. GPUs are features of the build.
    #[arg(long, value_delimiter = ',', default_value = "cpu")]
    engine: Vec<String>,
    /// Seconds of each run under load.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Rounds of each contestant, and runs under load.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Paths of the part `huge`.
    #[arg(long, default_value_t = 100_000_000)]
    huge: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// A batch of 100 beside 100 single calls, on each engine.
    Calls,
    /// One request at a time, with and without the batcher.
    Batcher,
    /// 64 tasks, or threads, that ask the batcher for a path at a time.
    Load,
    /// `auto` beside each single engine, at batch sizes of 1 to 10^6.
    Auto,
    /// 10^8 paths in one call; takes 3 GiB.
    Huge,
}

/// What every part measures in.
struct Setting {
    fs: GpuFilesystem,
    /// `cpu`, `wgpu`, `cuda`: as the engines are called by `force_engine`.
    engines: Vec<String>,
    set: PathSet,
    rounds: usize,
    run: Duration,
    /// The most paths of a batch.
    most_paths: usize,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let quick = arguments.run.quick;
    let k = if quick { 12 } else { arguments.k };
    let most_paths = if quick { 10_000 } else { 1_000_000 };
    let tree = Tree::synthetic(k, 42)?;
    let set = tree.draw(&Mix::default(), most_paths, 1)?;
    let device = device(&arguments.engine)?;
    let setting = Setting {
        fs: GpuFilesystem::from_index(&device, tree.index)?,
        engines: arguments
            .engine
            .iter()
            .map(|name| name.split(':').next().unwrap_or(name).to_owned())
            .collect(),
        set,
        rounds: if quick { 2 } else { arguments.rounds.max(1) },
        run: Duration::from_secs_f64(if quick { 0.05 } else { arguments.seconds }),
        most_paths,
    };
    let mut record = Record::default();
    // A batch opens the device and brings the tables there, so that the engines can say what they are.
    for engine in &setting.engines {
        setting.force(Some(engine))?;
        setting.fs.lookup_batch(&["/"; 1000])?;
    }
    setting.force(None)?;
    record.line(format!("engines: {}", setting.fs.engines().join("; ")));
    record.line(format!(
        "{}: random paths of {:.1} bytes that all exist",
        tree.title,
        setting.set.mean_length()
    ));
    for part in &arguments.only {
        match part {
            Part::Calls => calls::measure_batches(&mut record, &setting)?,
            Part::Batcher => calls::measure_batcher(&mut record, &setting)?,
            Part::Load => load::measure(&mut record, &setting)?,
            Part::Auto => routes::measure(&mut record, &setting)?,
            Part::Huge => {
                let n_paths = if quick { 100_000 } else { arguments.huge };
                huge::measure(&mut record, &arguments.engine, n_paths)?;
            }
        }
    }
    // That part alone is a record of its own: it takes other memory, and other time, than the rest.
    let name = if arguments.only == [Part::Huge] { "huge" } else { "api" };
    arguments.run.finish(&mut record, name)
}

/// These engines as one device.
fn device(engines: &[String]) -> Result<Device> {
    let devices: Vec<Device> = engines.iter().map(|engine| named_device(engine)).collect::<Result<_>>()?;
    for device in &devices {
        // Alone it must open: among several, another engine would answer for it.
        GpuFilesystem::new(&device.clone().without_fallback(), 0)?;
    }
    Ok(Device::combined(devices).without_fallback())
}

fn named_device(name: &str) -> Result<Device> {
    Ok(Device::named(name)?)
}

impl Setting {
    fn force(&self, engine: Option<&str>) -> Result<()> {
        Ok(self.fs.force_engine(engine)?)
    }

    /// Paths `first` to `first + n` of the set, as text.
    fn texts(&self, first: usize, n: usize) -> Result<Vec<&str>> {
        let batch = self.set.batch();
        (first..first + n).map(|i| Ok(std::str::from_utf8(batch.get(i))?)).collect()
    }
}
