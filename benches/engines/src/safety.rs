//! What happens after kill -9, and after bytes on disk changed.
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::engines;
use crate::workload::{Random, record_key};

/// Runs in a child that is going to be killed: commits groups of 8 and prints the last number of each.
pub fn write_until_killed(name: &str, dir: &Path, from: u64) {
    let engine = engines::open(name, dir).unwrap();
    let mut out = std::io::stdout();
    for first in (from..).step_by(8) {
        let group: Vec<_> = (first..first + 8).map(|n| (record_key(n), value(n))).collect();
        engine.commit(&group).unwrap();
        writeln!(out, "{}", first + 8).unwrap();
        out.flush().unwrap();
    }
}

/// Kills a writing child `rounds` times; after each, everything that it had acknowledged must be there.
pub fn kill_rounds(name: &str, dir: &Path, rounds: u64) {
    let mut random = Random(3);
    let (mut acknowledged, mut slowest) = (0, Duration::ZERO);
    for _ in 0..rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([name, dir.to_str().unwrap(), "write-until-killed", &acknowledged.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let deadline = Instant::now() + Duration::from_millis(200 + random.next() % 800);
        let killer = std::thread::spawn(move || {
            std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
            child.kill().unwrap();
            child.wait().unwrap();
        });
        for line in lines.map_while(Result::ok) {
            acknowledged = line.parse().unwrap_or(acknowledged);
        }
        killer.join().unwrap();
        let started = Instant::now();
        let engine = engines::open(name, dir).unwrap();
        slowest = slowest.max(started.elapsed());
        for n in 0..acknowledged {
            assert_eq!(engine.get(&record_key(n)).unwrap(), Some(value(n)), "record {n} was lost");
        }
    }
    println!("kill -9, {rounds} rounds: {acknowledged} records kept, slowest open {slowest:.2?}");
}

/// Flips one byte in a copy of the files, `rounds` times, and reads everything back.
pub fn flips(name: &str, dir: &Path, rounds: u64) {
    let engine = engines::open(name, dir).unwrap();
    for first in (0..20_000).step_by(100) {
        let group: Vec<_> = (first..first + 100).map(|n| (record_key(n), value(n))).collect();
        engine.commit(&group).unwrap();
    }
    drop(engine);
    std::panic::set_hook(Box::new(|_| {}));
    let mut random = Random(5);
    let mut outcomes = std::collections::BTreeMap::<&str, u64>::new();
    for _ in 0..rounds {
        let copy = tempfile::tempdir_in(dir.parent().unwrap()).unwrap();
        copy_dir(dir, copy.path());
        flip_one(copy.path(), &mut random);
        let outcome = std::panic::catch_unwind(|| read_all(name, copy.path())).unwrap_or("panic");
        *outcomes.entry(outcome).or_default() += 1;
    }
    println!("one flipped byte, {rounds} rounds: {outcomes:?}");
}

fn read_all(name: &str, dir: &Path) -> &'static str {
    let Ok(engine) = engines::open(name, dir) else { return "refused at open" };
    let mut worst = "no effect";
    for n in 0..20_000 {
        match engine.get(&record_key(n)) {
            Ok(Some(found)) if found == value(n) => {}
            Ok(Some(_)) => return "wrong value",
            Ok(None) => worst = "lost silently",
            Err(_) => return "error at read",
        }
    }
    worst
}

fn value(number: u64) -> Vec<u8> {
    Random(number ^ 0xabcd).bytes(300)
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() { found.extend(files(&entry.path())) } else { found.push(entry.path()) }
    }
    found.sort();
    found
}

fn copy_dir(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(&file, target).unwrap();
    }
}

/// Changes one byte that is not zero: most zeros are preallocated space.
fn flip_one(dir: &Path, random: &mut Random) {
    let files: Vec<_> = files(dir).into_iter().filter(|file| file.metadata().unwrap().len() > 0).collect();
    let lengths: Vec<u64> = files.iter().map(|file| file.metadata().unwrap().len()).collect();
    loop {
        let mut place = random.next() % lengths.iter().sum::<u64>();
        let index = lengths.iter().position(|length| {
            let inside = place < *length;
            place -= if inside { 0 } else { *length };
            inside
        });
        let file = &files[index.unwrap()];
        let mut content = std::fs::read(file).unwrap();
        let byte = &mut content[place as usize];
        if *byte != 0 {
            *byte ^= 1 << (random.next() % 8);
            std::fs::write(file, content).unwrap();
            return;
        }
    }
}
