//! `engines ENGINE DIR MODE`: one engine, one empty folder, one question.
//!
//! ENGINE is `redb`, `redb-quick` (quick repair), `fjall`, `fjall-kv` (values from 2 KiB on apart) or `sqlite` (WAL,
//! synchronous=FULL). MODE is `commits [BYTES]`, `reads`, `load`, `open`, `kill` or
//! `flips`.
mod engines;
mod safety;
mod usage;
mod workload;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, dir, mode, rest @ ..] = arguments.as_slice() else {
        println!("usage: engines ENGINE DIR commits|reads|load|open|kill|flips");
        return;
    };
    let dir = Path::new(dir);
    let open = || Arc::<dyn engines::Engine>::from(engines::open(name, dir).expect("the engine opens"));
    print!("{name}: ");
    match mode.as_str() {
        "commits" => {
            let value_len = rest.first().map_or(500, |text| text.parse().expect("a value length"));
            workload::commits(&open(), 32, value_len, Duration::from_secs(10));
        }
        "reads" => {
            let engine = open();
            workload::load(engine.as_ref(), RECORDS, 500);
            for threads in [1, 2] {
                workload::gets(&engine, threads, RECORDS, Duration::from_secs(5));
                workload::scans(&engine, threads, RECORDS, Duration::from_secs(5));
            }
            workload::commits(&engine, 32, 500, Duration::from_secs(10));
            drop(engine);
            let started = Instant::now();
            drop(open());
            println!("reopen: {:.2?}", started.elapsed());
        }
        "load" => workload::load(open().as_ref(), RECORDS, 500),
        "open" => {
            let started = Instant::now();
            drop(open());
            println!("open: {:.2?}", started.elapsed());
        }
        "kill" => safety::kill_rounds(name, dir, 20),
        "flips" => safety::flips(name, dir, 300),
        "write-until-killed" => {
            safety::write_until_killed(name, dir, rest.first().map_or(0, |text| text.parse().expect("a number")));
        }
        other => println!("unknown mode {other}"),
    }
}

const RECORDS: u64 = 1_000_000;
