use super::*;

fn round(operations: u64, seconds: u64, cpu_seconds: f64) -> Round {
    let mut tally = Tally::default();
    for _ in 0..operations {
        tally.succeeded(Operation::Get, Duration::from_millis(2), 1 << 20);
    }
    let usage = Usage { cpu_seconds, rss_peak_kib: 2048, high_water_kib: 4096 };
    Round { tally, elapsed: Duration::from_secs(seconds), server: Some(usage), client: Some(usage) }
}

#[test]
fn rates_are_medians_and_costs_are_sums_over_rounds() {
    let report = EndpointReport::new("a".into(), &[round(10, 1, 1.0), round(1024, 1, 2.0), round(30, 1, 1.0)]);
    assert_eq!(report.figures.all.operations_per_second, 30.0);
    assert_eq!(report.figures.all.mib_per_second, 30.0);
    assert_eq!((report.figures.all.operations, report.figures.seconds), (1064, 3.0));
    assert_eq!((report.figures.all.p50_ms, report.figures.all.max_ms), (2.0, 2.0));
    let server = report.figures.server.unwrap();
    assert_eq!((server.cpu_seconds, server.peak_rss_mib, server.high_water_mib), (4.0, 2.0, 4.0));
    assert_eq!(server.cpu_seconds_per_1000_operations, Some(4000.0 / 1064.0));
    assert_eq!(server.cpu_seconds_per_gib, Some(4096.0 / 1064.0));
}

#[test]
fn ratios_are_of_this_endpoint_to_the_first() {
    let first = EndpointReport::new("a".into(), &[round(10, 1, 1.0)]);
    let second = EndpointReport::new("b".into(), &[round(20, 1, 1.0)]);
    let ratios = Ratios::new(&second.figures, &first.figures);
    assert_eq!((ratios.operations_per_second, ratios.cpu_per_operation), (Some(2.0), Some(0.5)));
    assert_eq!((ratios.p50, ratios.peak_rss), (Some(1.0), Some(1.0)));
}

#[test]
fn nothing_measured_makes_no_quotient() {
    let report = EndpointReport::new("a".into(), &[round(0, 1, 0.0)]);
    let server = report.figures.server.clone().unwrap();
    assert_eq!((server.cpu_seconds_per_1000_operations, server.cpu_seconds_per_gib), (None, None));
    let ratios = Ratios::new(&report.figures, &report.figures);
    assert_eq!((ratios.operations_per_second, ratios.p50, ratios.cpu_per_operation), (None, None, None));
}

#[test]
fn an_even_number_of_rounds_has_a_median_between_the_middle_two() {
    assert_eq!(median([4.0, 1.0, 3.0, 2.0].into_iter()), 2.5);
    assert_eq!(median([].into_iter()), 0.0);
}
