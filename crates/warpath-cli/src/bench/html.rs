//! One HTML file with everything in it: no script, no font, no image from elsewhere.

use super::measure::{Measured, MeasuredEngine, Point};
use super::plot::{Form, Plot, Series, escape};
use super::table::{duration, rate};
use std::fmt::Write as _;

/// Colours on paper and in the dark: each pair keeps a contrast of 3 : 1 or more with its background.
const STYLE: &str = "
:root{color-scheme:light dark;--back:#fff;--text:#1b1f24;--soft:#57606a;--grid:#d8dee4;
--c0:#0550ae;--c1:#b3540a;--c2:#116329;--c3:#8250df;--c4:#a40e26;--c5:#6e5600}
@media(prefers-color-scheme:dark){:root{--back:#0d1117;--text:#e6edf3;--soft:#9aa4af;--grid:#30363d;
--c0:#6cb6ff;--c1:#f0a45d;--c2:#6bc46d;--c3:#c297ff;--c4:#ff938a;--c5:#daaa3f}}
body{margin:2rem auto;max-width:60rem;padding:0 1rem;background:var(--back);color:var(--text);font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.5rem}p,li{max-width:46rem}
figure{margin:1.5rem 0}figcaption{font-weight:600;margin-bottom:.4rem}
figure>svg{width:100%;height:auto}svg text{fill:var(--soft);font:12px system-ui,sans-serif}
.grid{stroke:var(--grid);fill:none}.line{fill:none;stroke:currentColor;stroke-width:2}
.mark{fill:currentColor;stroke:var(--back)}.hollow{fill:var(--back);stroke:currentColor}.upper{stroke-width:1}
.c0{color:var(--c0)}.c1{color:var(--c1)}.c2{color:var(--c2)}.c3{color:var(--c3)}.c4{color:var(--c4)}.c5{color:var(--c5)}
.c1 .line{stroke-dasharray:7 3}.c2 .line{stroke-dasharray:2 3}.c3 .line{stroke-dasharray:9 3 2 3}.limit.line.line{stroke-dasharray:1 4;stroke-width:1.5}
.legend{display:flex;flex-wrap:wrap;gap:.3rem 1.4rem;font-size:.9rem;margin:.3rem 0}
.legend svg{width:34px;height:12px;margin-right:.4rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem}
th,td{padding:.25rem .8rem;border-bottom:1px solid var(--grid);text-align:right;white-space:nowrap}
th:nth-child(-n+2),td:nth-child(-n+2){text-align:left}th{color:var(--soft);font-weight:600}
@media print{:root{--back:#fff;--text:#000;--soft:#333;--grid:#bbb;--c0:#0550ae;--c1:#b3540a;--c2:#116329;--c3:#8250df;--c4:#a40e26;--c5:#6e5600}
body{margin:0;max-width:none;font-size:11pt}figure,tr,p{break-inside:avoid}h2,h2+p{break-after:avoid}thead{display:table-header-group}
h2{margin-top:1.5rem}figure>svg{max-height:6.6cm}.scroll{overflow:visible}table{font-size:8.5pt}th,td{padding:.12rem .55rem}}
";

/// The report.
pub fn render(measured: &Measured) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>warpath bench</title><style>{STYLE}</style></head><body>\n\
         <h1>warpath bench: {}</h1>\n<ul>\n",
        escape(&measured.tree)
    );
    for engine in &measured.engines {
        let (name, device, limit) = (escape(&engine.name), escape(&engine.device), engine.limit);
        let rate = limit.bytes_per_s / 1e9;
        let _ = writeln!(
            page,
            "<li>engine <b>{name}</b>: {device}; its limit, {}: {rate:.1} GB/s</li>",
            limit.name()
        );
    }
    for note in &measured.notes {
        let _ = writeln!(page, "<li>{}</li>", escape(note));
    }
    page.push_str("<li>every answer was checked</li>\n</ul>\n");
    for (heading, plot, text) in [
        ("Throughput", throughput(measured), "Random paths that exist, by the median batch."),
        (
            "Latency",
            latency(measured),
            "How long a batch takes: half of them at most p50, 99 of 100 at most p99.",
        ),
        (
            "Roofline",
            roofline(measured),
            "On the processor a path moves its text, its offset, a cache line of the table and its answer, and the limit is the \
             memory's copy rate. To a device it moves its text and its offset, and the limit is the copy from the host; who sends \
             hashes instead of text can be above it. All limits are of this run.",
        ),
    ] {
        let _ = writeln!(page, "<h2>{heading}</h2><p>{text}</p>{}", plot.svg());
    }
    crossovers(measured, &mut page);
    points(measured, &mut page);
    page.push_str("</body></html>\n");
    page
}

fn throughput(measured: &Measured) -> Plot {
    let series = measured.engines.iter().enumerate().map(|(engine, MeasuredEngine { name, .. })| {
        let points = measured.measurements.over_batches(name);
        let points = points.map(|point| (point.batch as f64, point.paths_per_s)).collect();
        Series { name: name.clone(), engine, form: Form::Line, points }
    });
    Plot {
        title: "Paths a second over batch size".to_owned(),
        x: "paths in a batch",
        y: "paths a second",
        series: series.collect(),
    }
}

fn latency(measured: &Measured) -> Plot {
    let mut series = Vec::new();
    for (engine, MeasuredEngine { name, .. }) in measured.engines.iter().enumerate() {
        let mut add = |label: &str, form: Form, of: &dyn Fn(&Point) -> f64| {
            let points = measured.measurements.over_batches(name);
            let points = points.map(|point| (point.batch as f64, of(point))).collect();
            series.push(Series { name: format!("{name} {label}"), engine, form, points });
        };
        add("p50", Form::Line, &|point| point.p50.as_secs_f64() * 1e6);
        add("p99", Form::Upper, &|point| point.p99.as_secs_f64() * 1e6);
    }
    Plot {
        title: "Time of a batch over its size".to_owned(),
        x: "paths in a batch",
        y: "microseconds",
        series,
    }
}

fn roofline(measured: &Measured) -> Plot {
    let mut series = Vec::new();
    for (engine, MeasuredEngine { name, limit, .. }) in measured.engines.iter().enumerate() {
        let large = measured.measurements.points.iter().filter(|point| point.case != "random");
        let points: Vec<(f64, f64)> = large
            .filter(|point| &point.engine == name)
            .map(|point| (point.bytes_per_path, point.paths_per_s))
            .collect();
        let bytes = points.iter().map(|point| point.0);
        let ends = [bytes.clone().reduce(f64::min), bytes.reduce(f64::max)];
        let ends = ends.into_iter().flatten().map(|bytes| (bytes, limit.bytes_per_s / bytes)).collect();
        let kinds = format!("{name}, each kind of paths");
        series.push(Series { name: kinds, engine, form: Form::Scatter, points });
        let name = format!("{name}: {}", limit.name());
        series.push(Series { name, engine, form: Form::Limit, points: ends });
    }
    Plot {
        title: "Paths a second over what a path moves".to_owned(),
        x: "bytes a path",
        y: "paths a second",
        series,
    }
}

fn crossovers(measured: &Measured, page: &mut String) {
    page.push_str("<h2>Where each engine takes over</h2>\n<ul>\n");
    for (from, engine) in measured.measurements.crossovers() {
        let _ = writeln!(page, "<li>from batches of {from} on: <b>{}</b></li>", escape(engine));
    }
    for single in &measured.measurements.singles {
        let _ = writeln!(
            page,
            "<li>{}: {} single calls take {}, one batch of them {}: {:.1} times faster</li>",
            escape(&single.engine),
            single.n_paths,
            duration(single.singles),
            duration(single.batch),
            single.singles.as_secs_f64() / single.batch.as_secs_f64()
        );
    }
    page.push_str("</ul>\n");
}

fn points(measured: &Measured, page: &mut String) {
    page.push_str(
        "<h2>All figures</h2>\n<div class=\"scroll\"><table><thead><tr><th>engine</th><th>paths</th><th>batch</th><th>M \
         paths/s</th><th>p50</th><th>p99</th><th>of its limit</th></tr></thead><tbody>\n",
    );
    for point in &measured.measurements.points {
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.1}%</td></tr>",
            escape(&point.engine),
            escape(&point.case),
            point.batch,
            rate(point.paths_per_s),
            duration(point.p50),
            duration(point.p99),
            100.0 * point.share_of_limit
        );
    }
    page.push_str("</tbody></table></div>\n");
}
