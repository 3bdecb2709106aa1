//! Real processes of `throng` for tests: started, waited for with deadlines, asked over HTTP, stopped by signals.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long anything may take before a test fails; generous, since other builds may share the machine.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// How long a process that is no longer needed may take to end by itself.
const STOP: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(5);

/// Asks until the answer is something.
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < DEADLINE, "waited too long for {what}");
        std::thread::park_timeout(POLL);
    }
}

/// `throng` with these arguments and nothing of ours in its environment.
pub fn throng(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("THRONG_") {
            command.env_remove(name);
        }
    }
    command
}

/// What a process has written so far.
#[derive(Debug, Clone, Default)]
pub struct Written(Arc<(Mutex<Vec<u8>>, Condvar)>);

impl Written {
    fn collect(stream: impl Read + Send + 'static) -> Written {
        let written = Written::default();
        let into = written.clone();
        std::thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while stream
                .read_until(b'\n', &mut line)
                .is_ok_and(|bytes| bytes > 0)
            {
                into.0.0.lock().expect("not poisoned").append(&mut line);
                into.0.1.notify_all();
            }
        });
        written
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.0.lock().expect("not poisoned")).into_owned()
    }

    /// The first line that fits.
    pub fn line(&self, fits: impl Fn(&str) -> bool) -> Option<String> {
        self.text()
            .lines()
            .find(|line| fits(line))
            .map(str::to_owned)
    }
}

/// A running process.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pub stdout: Written,
    pub stderr: Written,
}

/// A process that ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Process {
    pub fn start(command: &mut Command) -> Process {
        let mut child = command.spawn().expect("the process starts");
        let stdout = Written::collect(child.stdout.take().expect("is piped"));
        let stderr = Written::collect(child.stderr.take().expect("is piped"));
        Process {
            child,
            stdout,
            stderr,
        }
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the process takes a signal");
    }

    pub fn is_running(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("the process can be asked")
            .is_none()
    }

    pub fn wait(mut self) -> Ended {
        let status: ExitStatus = wait_for("the process to end", || {
            self.child.try_wait().expect("the process can be asked")
        });
        // The pipes are read by threads that end with the process.
        let read = |written: &Written| {
            wait_for("the rest of its output", || {
                (Arc::strong_count(&written.0) == 1).then(|| written.text())
            })
        };
        Ended {
            code: status.code(),
            stdout: read(&self.stdout),
            stderr: read(&self.stderr),
        }
    }
}

/// Asked first, so that a demo removes its folder; killed where it does not listen.
impl Drop for Process {
    fn drop(&mut self) {
        let running = |child: &mut Child| child.try_wait().is_ok_and(|status| status.is_none());
        if !running(&mut self.child) {
            return;
        }
        kill_process(Pid::from_child(&self.child), Signal::TERM).ok();
        let begun = Instant::now();
        while running(&mut self.child) && begun.elapsed() < STOP {
            std::thread::park_timeout(POLL);
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Runs a command to its end.
pub fn run(arguments: &[&str]) -> Ended {
    Process::start(&mut throng(arguments)).wait()
}

/// A server that answers.
#[derive(Debug)]
pub struct Server {
    pub process: Process,
    pub url: String,
    /// The JSON line, of a demo.
    pub demo: Value,
}

impl Server {
    /// `throng serve` on a free port, with its log as JSON.
    pub fn serve(data: &Path, arguments: &[&str]) -> Server {
        let data = data.to_str().expect("a path in UTF-8");
        let mut all = vec![
            "serve",
            "--data",
            data,
            "--listen",
            "127.0.0.1:0",
            "--log-format",
            "json",
        ];
        all.extend_from_slice(arguments);
        let mut process = Process::start(&mut throng(&all));
        let ready = wait_for("the server to be ready", || {
            let ready = process
                .stderr
                .line(|line| line.contains("\"message\":\"ready\""));
            assert!(
                ready.is_some() || process.is_running(),
                "the server ended: {}",
                process.stderr.text()
            );
            ready
        });
        let ready: Value = serde_json::from_str(&ready).expect("the log is JSON");
        let url = ready["url"]
            .as_str()
            .expect("the ready line has the URL")
            .to_owned();
        Server {
            process,
            url,
            demo: Value::Null,
        }
    }

    /// `throng demo --json` on a free port.
    pub fn demo(arguments: &[&str]) -> Server {
        let mut all = vec!["demo", "--json", "--listen", "127.0.0.1:0"];
        all.extend_from_slice(arguments);
        let mut process = Process::start(&mut throng(&all));
        let line = wait_for("the demo to be ready", || {
            let line = process.stdout.line(|_| true);
            assert!(
                line.is_some() || process.is_running(),
                "the demo ended: {}",
                process.stderr.text()
            );
            line
        });
        let demo: Value = serde_json::from_str(&line).expect("the first line is JSON");
        Server {
            process,
            url: demo["url"].as_str().expect("there is a URL").to_owned(),
            demo,
        }
    }

    /// The token of a demo.
    pub fn token(&self) -> &str {
        self.demo["native"]["token"]
            .as_str()
            .expect("there is a token")
    }

    pub fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Answer {
        request(&self.url, method, path, headers, body)
    }

    /// A call of the native API.
    pub fn api(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let authorization = format!("Bearer {token}");
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
        ];
        let body = body.map(Value::to_string);
        self.request(method, &format!("/api/v1{path}"), &headers, body.as_deref())
    }

    /// A command of the command line against this server.
    pub fn command(&self, token: &str, arguments: &[&str]) -> Command {
        let mut command = throng(arguments);
        command
            .env("THRONG_URL", &self.url)
            .env("THRONG_TOKEN", token);
        command
    }

    pub fn run(&self, token: &str, arguments: &[&str]) -> Ended {
        Process::start(&mut self.command(token, arguments)).wait()
    }

    /// SIGTERM, and what was left.
    pub fn stop(self) -> Ended {
        self.process.signal(Signal::TERM);
        self.process.wait()
    }
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

pub fn request(
    url: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> Answer {
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .proxy(None)
        .timeout_global(Some(DEADLINE))
        .build()
        .new_agent();
    let mut request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("{url}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = match body {
        Some(body) => agent.run(request.body(body).expect("a request")),
        None => agent.run(request.body(()).expect("a request")),
    };
    let mut answer = answer.expect("the server answers");
    Answer {
        status: answer.status().as_u16(),
        headers: answer.headers().clone(),
        body: answer
            .body_mut()
            .read_to_string()
            .expect("the body is UTF-8"),
    }
}
