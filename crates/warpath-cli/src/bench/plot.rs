//! Plots as SVG text: logarithmic axes, lines told apart by colour, dashes and marks, so that they also are on paper.

use std::fmt::Write as _;

/// What a plot shows of an engine.
pub struct Series {
    pub name: String,
    /// Number of the engine: colour, dashes and marks follow from it, so that they are the same in every plot.
    pub engine: usize,
    pub form: Form,
    pub points: Vec<(f64, f64)>,
}

/// How a series is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A line with marks.
    Line,
    /// A thin line with hollow marks: the upper one of two of an engine.
    Upper,
    /// Marks alone.
    Scatter,
    /// A dotted line without marks.
    Limit,
}

impl Form {
    fn class(self) -> &'static str {
        match self {
            Form::Line | Form::Scatter => "line",
            Form::Upper => "line upper",
            Form::Limit => "line limit",
        }
    }
}

pub struct Plot {
    pub title: String,
    pub x: &'static str,
    pub y: &'static str,
    pub series: Vec<Series>,
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 52.0;
const N_STYLES: usize = 6;

impl Plot {
    /// A figure with its legend; empty where there is nothing to draw.
    pub fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let (Some(x), Some(y)) = (Axis::of(points().map(|p| p.0)), Axis::of(points().map(|p| p.1))) else {
            return String::new();
        };
        let at = |(px, py): (f64, f64)| {
            let across = LEFT + x.position(px) * (WIDTH - LEFT - RIGHT);
            (across, HEIGHT - BOTTOM - y.position(py) * (HEIGHT - TOP - BOTTOM))
        };
        let mut svg = format!(
            "<figure><figcaption>{}</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            escape(&self.title),
            escape(&self.title)
        );
        self.grid(&mut svg, &x, &y, &at);
        for series in &self.series {
            series.draw(&mut svg, &at);
        }
        svg.push_str("</svg><p class=\"legend\">");
        for series in &self.series {
            let _ = write!(svg, "<span class=\"c{}\"><svg viewBox=\"0 0 34 12\">", series.style());
            if series.form != Form::Scatter {
                let _ = write!(svg, "<path class=\"{}\" d=\"M1 6H33\"/>", series.form.class());
            }
            series.mark(&mut svg, (17.0, 6.0));
            let _ = write!(svg, "</svg>{}</span>", escape(&series.name));
        }
        svg.push_str("</p></figure>\n");
        svg
    }

    fn grid(&self, svg: &mut String, x: &Axis, y: &Axis, at: &dyn Fn((f64, f64)) -> (f64, f64)) {
        let (left, bottom) = at((x.low(), y.low()));
        let (right, top) = at((x.high(), y.high()));
        for tick in x.ticks() {
            let (across, _) = at((tick, y.low()));
            let _ = write!(svg, "<path class=\"grid\" d=\"M{across:.1} {bottom:.1}V{top:.1}\"/>");
            let _ = write!(
                svg,
                "<text x=\"{across:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                bottom + 18.0,
                number(tick)
            );
        }
        for tick in y.ticks() {
            let (_, down) = at((x.low(), tick));
            let _ = write!(svg, "<path class=\"grid\" d=\"M{left:.1} {down:.1}H{right:.1}\"/>");
            let _ = write!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                left - 8.0,
                down + 4.0,
                number(tick)
            );
        }
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            (left + right) / 2.0,
            HEIGHT - 10.0,
            escape(self.x)
        );
        let middle = (top + bottom) / 2.0;
        let _ = write!(
            svg,
            "<text transform=\"translate(14 {middle:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            escape(self.y)
        );
    }
}

impl Series {
    fn style(&self) -> usize {
        self.engine % N_STYLES
    }

    fn draw(&self, svg: &mut String, at: &dyn Fn((f64, f64)) -> (f64, f64)) {
        let _ = write!(svg, "<g class=\"c{}\"><title>{}</title>", self.style(), escape(&self.name));
        if self.form != Form::Scatter {
            let _ = write!(svg, "<path class=\"{}\" d=\"", self.form.class());
            for (i, &point) in self.points.iter().enumerate() {
                let (x, y) = at(point);
                let _ = write!(svg, "{}{x:.1} {y:.1}", if i == 0 { 'M' } else { 'L' });
            }
            svg.push_str("\"/>");
        }
        self.points.iter().for_each(|&point| self.mark(svg, at(point)));
        svg.push_str("</g>");
    }

    fn mark(&self, svg: &mut String, at: (f64, f64)) {
        match self.form {
            Form::Limit => {}
            Form::Upper => mark(svg, "mark hollow", self.style(), at),
            Form::Line | Form::Scatter => mark(svg, "mark", self.style(), at),
        }
    }
}

/// A circle, a square, a triangle, a diamond, a cross, a bar.
fn mark(svg: &mut String, class: &str, style: usize, (x, y): (f64, f64)) {
    let d = match style {
        0 => "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
        1 => "m-4 -4h8v8h-8z",
        2 => "m0 -5l5 9h-10z",
        3 => "m0 -5l5 5l-5 5l-5 -5z",
        4 => "m-5 -1.5h3.5v-3.5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5z",
        _ => "m-5 -2h10v4h-10z",
    };
    let _ = write!(svg, "<path class=\"{class}\" d=\"M{x:.1} {y:.1}{d}\"/>");
}

/// A logarithmic axis between powers of ten, or of two where the values lie close.
struct Axis {
    low: f64,
    high: f64,
    base: f64,
}

impl Axis {
    fn of(values: impl Iterator<Item = f64>) -> Option<Axis> {
        let (low, high) = values
            .filter(|value| value.is_finite() && *value > 0.0)
            .fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            return None;
        }
        let base: f64 = if high / low > 30.0 { 10.0 } else { 2.0 };
        let low = (low.log(base) + 1e-9).floor();
        Some(Axis { low, high: (high.log(base) - 1e-9).ceil().max(low + 1.0), base })
    }

    fn low(&self) -> f64 {
        self.base.powf(self.low)
    }

    fn high(&self) -> f64 {
        self.base.powf(self.high)
    }

    fn position(&self, value: f64) -> f64 {
        let exponent = value.max(f64::MIN_POSITIVE).log(self.base);
        ((exponent - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        (self.low as i32..=self.high as i32).map(|exponent| self.base.powi(exponent))
    }
}

/// A tick's label: three digits are enough to read an axis, and more would not fit.
fn number(value: f64) -> String {
    let (scaled, unit) = match value {
        v if v >= 1e9 => (v / 1e9, "G"),
        v if v >= 1e6 => (v / 1e6, "M"),
        v if v >= 1e3 => (v / 1e3, "k"),
        v => (v, ""),
    };
    let decimals = (2.0 - scaled.log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{scaled:.decimals$}");
    let text = if decimals > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

/// Text for HTML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_powers() {
        let axis = Axis::of([3.0, 4000.0].into_iter()).unwrap();
        assert_eq!(axis.ticks().collect::<Vec<_>>(), [1.0, 10.0, 100.0, 1000.0, 10_000.0]);
        assert_eq!((axis.position(1.0), axis.position(100.0), axis.position(1e4)), (0.0, 0.5, 1.0));
        assert!(Axis::of([0.0, f64::NAN].into_iter()).is_none());
    }

    #[test]
    fn labels_are_short() {
        let labels = [0.1, 1.0, 100.0, 128.0, 1e4, 1_048_576.0, 33_554_432.0, 1e9].map(number);
        assert_eq!(labels, ["0.1", "1", "100", "128", "10k", "1.05M", "33.6M", "1G"]);
    }

    #[test]
    fn names_are_escaped() {
        let plot = Plot {
            title: "a<b".into(),
            x: "x",
            y: "y",
            series: vec![Series {
                name: "\"&".into(),
                engine: 0,
                form: Form::Line,
                points: vec![(1.0, 1.0), (10.0, 2.0)],
            }],
        };
        let svg = plot.svg();
        assert!(svg.contains("a&lt;b") && svg.contains("&quot;&amp;") && !svg.contains("a<b"));
    }
}
