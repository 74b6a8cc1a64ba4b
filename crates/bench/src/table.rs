//! The report for people: a row per endpoint, ratios below it.

use crate::human::ByteSize;
use crate::report::{EndpointReport, Figures, OperationFigures, Ratios, Report};
use std::io::{self, Write};

/// Writes the report.
pub(crate) fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", headline(report))?;
    let mut rows = vec![COLUMNS.map(str::to_owned).to_vec()];
    for endpoint in &report.endpoints {
        rows.push(row(&endpoint.endpoint, &endpoint.figures));
        for (operation, figures) in &endpoint.by_operation {
            rows.push(operation_row(&format!("  {}", operation.name()), figures));
        }
        if let Some(ratios) = &endpoint.ratio_to_first {
            rows.push(ratio_row(ratios));
        }
    }
    write_aligned(&rows, out)?;
    report.endpoints.iter().try_for_each(|endpoint| write_errors(endpoint, out))
}

fn headline(report: &Report) -> String {
    let range = report.range_bytes.map(|bytes| format!("{} of ", ByteSize::from_bytes(bytes))).unwrap_or_default();
    let (operation, sse) = (report.operation.name(), report.sse.name());
    let verified = if report.verified { ", verified" } else { "" };
    let rounds = report.endpoints.first().map_or(0, |endpoint| endpoint.rounds.len());
    format!(
        "{operation} {range}{}, {} connections, sse {sse}, rounds {rounds}{verified}",
        ByteSize::from_bytes(report.size_bytes),
        report.concurrency
    )
}

fn row(name: &str, figures: &Figures) -> Vec<String> {
    let mut cells = operation_row(name, &figures.all);
    let server = figures.server.as_ref();
    cells.push(figures.errors.to_string());
    cells.push(optional(server.and_then(|server| server.cpu_seconds_per_1000_operations)));
    cells.push(optional(server.and_then(|server| server.cpu_seconds_per_gib)));
    cells.push(optional(server.map(|server| server.peak_rss_mib)));
    cells.push(optional(server.map(|server| server.high_water_mib)));
    cells
}

fn operation_row(name: &str, figures: &OperationFigures) -> Vec<String> {
    let numbers = [
        figures.operations_per_second,
        figures.mib_per_second,
        figures.p50_ms,
        figures.p90_ms,
        figures.p99_ms,
        figures.max_ms,
    ];
    std::iter::once(name.to_owned()).chain(numbers.map(number)).collect()
}

fn ratio_row(ratios: &Ratios) -> Vec<String> {
    let cells = [
        ratios.operations_per_second,
        ratios.mib_per_second,
        ratios.p50,
        None,
        ratios.p99,
        None,
        None,
        ratios.cpu_per_operation,
        ratios.cpu_per_gib,
        ratios.peak_rss,
        None,
    ];
    let times = |ratio: Option<f64>| ratio.map(|ratio| format!("x{ratio:.2}")).unwrap_or_default();
    std::iter::once("  to the first".to_owned()).chain(cells.map(times)).collect()
}

fn write_errors(endpoint: &EndpointReport, out: &mut impl Write) -> io::Result<()> {
    for (failure, count) in &endpoint.errors {
        writeln!(out, "{}: {count} x {failure}", endpoint.endpoint)?;
    }
    Ok(())
}

/// Names to the left, numbers to the right.
fn write_aligned(rows: &[Vec<String>], out: &mut impl Write) -> io::Result<()> {
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            line += &if column == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Three digits that count, and no exponent.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        0.0 => 0,
        ..1.0 => 3,
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), number)
}

const COLUMNS: [&str; 12] = [
    "endpoint",
    "op/s",
    "MiB/s",
    "p50 ms",
    "p90 ms",
    "p99 ms",
    "max ms",
    "errors",
    "CPU s/1000 op",
    "CPU s/GiB",
    "peak RSS MiB",
    "high water MiB",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits() {
        for (value, text) in [(0.0, "0"), (0.0714, "0.071"), (2.345, "2.35"), (12.34, "12.3"), (12189.4, "12189")] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn columns_are_aligned_and_short_rows_allowed() {
        let rows =
            [vec!["name".to_owned(), "1".to_owned()], vec!["n".to_owned(), "100".to_owned()], vec!["x".to_owned()]];
        let mut out = Vec::new();
        write_aligned(&rows, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "name    1\nn     100\nx\n");
    }
}
