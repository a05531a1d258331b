//! Bars on a logarithmic scale, as SVG.

use std::fmt::Write as _;

use crate::measure::Kind;
use crate::time;

const LEFT: f64 = 270.0;
const WIDTH: f64 = 340.0;
const ROW: f64 = 34.0;

/// A bar for each function, in colours for light and dark pages.
pub(crate) fn bars(rows: &[(Kind, f64)]) -> String {
    let most = rows.iter().map(|(_, value)| value.log10()).fold(f64::MIN, f64::max);
    let (mut svg, mut y) = (String::new(), 34.0);
    for (kind, value) in rows {
        let width = WIDTH * (value.log10() - 1.0) / (most - 1.0);
        let colour = if *kind == Kind::Processor { "#2f81f7" } else { "#8b949e" };
        let name = kind.name().replace('`', "");
        writeln!(
            svg,
            "<text x=\"{x}\" y=\"{text}\" text-anchor=\"end\">{name}</text>\
             <rect x=\"{LEFT}\" y=\"{y}\" width=\"{width:.0}\" height=\"22\" rx=\"3\" fill=\"{colour}\"/>\
             <text x=\"{end:.0}\" y=\"{text}\">{time}</text>",
            x = LEFT - 8.0,
            text = y + 16.0,
            end = LEFT + width + 8.0,
            time = time(*value),
        )
        .unwrap();
        y += ROW;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 {y}\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#8b949e\">\n\
         <title>CPU per record, warm, 10,000 clicks per batch</title>\n\
         <text x=\"{LEFT}\" y=\"20\" font-weight=\"bold\">CPU per record, warm, on a logarithmic scale</text>\n{svg}</svg>\n"
    )
}
