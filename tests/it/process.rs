//! The real binary as a process of its own, over the same ledger and before the same simulator as its world.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use rustix::process::{Pid, Signal, kill_process};

use crate::world::{PATIENCE, World};

/// A running command; killed if a test ends before it.
pub struct Process {
    child: Child,
    /// What it says on stderr, a line each.
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Process {
    /// Starts the binary with these arguments and its world's settings.
    pub fn start(world: &World, line: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(line.split_whitespace()).args(world.flags()).current_dir(world.path()).env_clear();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let stderr = child.stderr.take().expect("it is piped");
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            let read = BufReader::new(stderr).lines().map_while(Result::ok);
            // Nobody listens once the test is over.
            read.take_while(|line| tell.send(line.clone()).is_ok()).for_each(drop);
        });
        Self { child, lines, said: Vec::new() }
    }

    /// A command from its start to its end: the exit code, and all that it said.
    pub fn run(world: &World, line: &str) -> (Option<i32>, String) {
        Self::start(world, line).ended()
    }

    /// Waits until it has said these words, and gives the line.
    pub fn until_said(&mut self, words: &str) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.said.push(line.clone());
                    if line.contains(words) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("never said: {words}; said: {}", self.said.join("\n"))
                }
            }
        }
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        assert_eq!(self.child.try_wait().expect("it can be asked"), None, "it had ended: {}", self.rest());
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// `kill -TERM`.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// `kill -STOP`.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// `kill -CONT`.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// The most memory that it has had, where the system tells.
    pub fn peak_memory_kib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse().ok())
    }

    /// Waits for its end: the exit code, and all that it said.
    pub fn ended(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().expect("it ends").code();
        let said = self.rest();
        assert!(!said.contains("panicked"), "{said}");
        (code, said)
    }

    fn rest(&mut self) -> String {
        self.said.extend(self.lines.iter());
        self.said.join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
