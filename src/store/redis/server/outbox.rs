//! Requests that are to be sent: what several threads ask at about the same time goes out as one.
//!
//! One task at a time sends them, and begins each batch before it looks at the next: tasks that
//! send one batch each run in any order, and calls of one key would overtake each other.

use std::collections::VecDeque;
use std::mem::replace;
use std::sync::{Arc, Mutex};
use std::thread::panicking;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::unconstrained;
use tokio::time::Instant;

use crate::store::fork::locked_now;
use crate::store::redis::answer::{Answer, Sink};
use crate::store::redis::request::Request;

/// What has this many requests is sent alone: its replies are all read before the first is told.
const MANY: usize = 64;

/// What nobody has begun to send.
#[derive(Default)]
pub(super) struct Outbox(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    batches: VecDeque<Batch>,
    /// Whether somebody sends what is kept, and will send what comes meanwhile.
    is_being_sent: bool,
}

/// Requests that are sent together, and who is told what they come to.
pub(super) struct Batch {
    pub(super) requests: Vec<Request>,
    /// Each has the requests up to this index, from the one before it on.
    sinks: Vec<(usize, Arc<dyn Sink>)>,
    timeout: Duration,
    pub(super) deadline: Instant,
}

impl Outbox {
    /// Keep requests until they are sent. True: the caller has to see to [`Self::send_all`].
    pub(super) fn put(&self, mut requests: Vec<Request>, sink: &Arc<dyn Sink>) -> bool {
        let now = Instant::now();
        let mut kept = locked_now(&self.0);
        while let Some(timeout) = requests.first().map(|first| first.timeout) {
            let other = |request: &Request| request.timeout != timeout;
            let same = requests.iter().position(other).unwrap_or(requests.len());
            let later = requests.split_off(same);
            put(&mut kept.batches, Batch::of(requests, sink, now + timeout));
            requests = later;
        }
        !kept.batches.is_empty() && !replace(&mut kept.is_being_sent, true)
    }

    /// Send what is kept, until there is nothing left: each batch is on its way, or in line for a
    /// connection, before the next is begun.
    pub(super) async fn send_all<F>(&self, send: impl Fn(Batch) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let _sending = Sending(self);
        let mut last = None;
        while let Some(batch) = self.next() {
            if let Some(begun) = last.take() {
                tokio::spawn(begun);
            }
            let mut begun = Box::pin(send(batch));
            // Out of the task's budget it would not begin, and what comes later might.
            let ended = unconstrained(&mut begun).now_or_never();
            last = Some(begun).filter(|_| ended.is_none());
        }
        if let Some(begun) = last {
            begun.await;
        }
    }

    /// The next; `None` when there is none, and what comes later is to be sent by another.
    fn next(&self) -> Option<Batch> {
        let mut kept = locked_now(&self.0);
        let next = kept.batches.pop_front();
        kept.is_being_sent = next.is_some();
        next
    }
}

/// Who sends. Should that panic, the others' calls are still sent.
struct Sending<'a>(&'a Outbox);

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        if panicking() {
            locked_now(&self.0.0).is_being_sent = false;
        }
    }
}

/// Let a batch go with the last one, if that has the same timeout. The deadline is the earlier's.
fn put(kept: &mut VecDeque<Batch>, batch: Batch) {
    match kept.back_mut() {
        Some(last)
            if last.timeout == batch.timeout
                && last.requests.len() + batch.requests.len() <= MANY =>
        {
            last.requests.extend(batch.requests);
            let sinks = batch.sinks.into_iter().map(|(_, sink)| sink);
            let end = last.requests.len();
            last.sinks.extend(sinks.map(|sink| (end, sink)));
        }
        _ => kept.push_back(batch),
    }
}

impl Batch {
    fn of(requests: Vec<Request>, sink: &Arc<dyn Sink>, deadline: Instant) -> Self {
        Self {
            timeout: requests[0].timeout,
            sinks: vec![(requests.len(), Arc::clone(sink))],
            requests,
            deadline,
        }
    }

    /// Tell each what its requests came to, which are given by their indices.
    pub(super) fn settle(&self, answers: impl Iterator<Item = (usize, Answer)>) {
        let mut answers = answers.peekable();
        while let Some(&(index, _)) = answers.peek() {
            let place = self.sinks.partition_point(|&(end, _)| end <= index);
            let (end, sink) = &self.sinks[place];
            let begin = place
                .checked_sub(1)
                .map_or(0, |before| self.sinks[before].0);
            let mut its = Vec::with_capacity(end - begin);
            let is_its = |(index, _): &(usize, Answer)| (begin..*end).contains(index);
            while let Some((index, answer)) = answers.next_if(is_its) {
                its.push((self.requests[index].id, answer));
            }
            sink.settle(its);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::iter::from_fn;
    use std::mem::take;

    use redis::{Cmd, Value};
    use tokio::runtime::{Builder, Handle};
    use tokio::task::yield_now;

    use super::*;
    use crate::store::redis::answer::{Failure, Reply};
    use crate::store::redis::request::Work;

    struct Nothing;

    impl Work for Nothing {
        fn name(&self) -> Vec<u8> {
            Vec::new()
        }

        fn command(&self, _: bool) -> Cmd {
            Cmd::new()
        }

        fn settle(&self, said: Result<Value, Failure>) -> Answer {
            said.map(Reply::Value)
        }
    }

    /// What it is told, by the numbers of its requests.
    #[derive(Default)]
    struct Told(Mutex<Vec<(u64, i64)>>);

    impl Sink for Told {
        fn settle(&self, answers: Vec<(u64, Answer)>) {
            for (id, answer) in answers {
                let Ok(Reply::Value(Value::Int(number))) = answer else {
                    panic!("{answer:?}")
                };
                self.0.lock().unwrap().push((id, number));
            }
        }
    }

    fn requests(ids: std::ops::Range<u64>, millis: u64) -> Vec<Request> {
        let numbered = |id| Request {
            id,
            ..Request::new(Nothing, Duration::from_millis(millis))
        };
        ids.map(numbered).collect()
    }

    #[test]
    fn each_is_told_of_its_own_requests_in_whatever_order_they_are_settled() {
        let (outbox, told) = (
            Outbox::default(),
            [(); 3].map(|()| Arc::new(Told::default())),
        );
        let sinks = told.clone().map(|told| told as Arc<dyn Sink>);
        assert!(outbox.put(requests(0..2, 9), &sinks[0]));
        assert!(!outbox.put(requests(0..1, 9), &sinks[1]));
        assert!(!outbox.put(requests(5..8, 9), &sinks[2]));
        assert!(!outbox.put(Vec::new(), &sinks[2]));
        let batches: Vec<_> = from_fn(|| outbox.next()).collect();
        assert_eq!(batches.len(), 1);
        for order in [[0, 1, 2, 3, 4, 5], [5, 0, 3, 2, 4, 1]] {
            let answers = order.map(|index: u32| {
                let reply = Reply::Value(Value::Int(index.into()));
                (index as usize, Ok(reply))
            });
            batches[0].settle(answers.into_iter());
            let mut found = told.clone().map(|told| take(&mut *told.0.lock().unwrap()));
            for told in &mut found {
                told.sort_unstable();
            }
            let [first, second, third] = found;
            assert_eq!(first, [(0, 0), (1, 1)]);
            assert_eq!(second, [(0, 2)]);
            assert_eq!(third, [(5, 3), (6, 4), (7, 5)]);
        }
    }

    #[test]
    fn what_has_another_timeout_or_is_too_many_goes_alone() {
        let (outbox, told) = (
            Outbox::default(),
            Arc::new(Told::default()) as Arc<dyn Sink>,
        );
        assert!(!outbox.put(Vec::new(), &told), "nothing is to be taken");
        let begun = Instant::now();
        let mut mixed = requests(0..2, 9);
        mixed.extend(requests(2..3, 20));
        outbox.put(mixed, &told);
        outbox.put(requests(0..MANY as u64, 20), &told);
        outbox.put(requests(0..1, 20), &told);
        let batches: Vec<_> = from_fn(|| outbox.next()).collect();
        let sizes: Vec<_> = batches.iter().map(|batch| batch.requests.len()).collect();
        assert_eq!(sizes, [2, 1, MANY, 1]);
        assert!(
            outbox.put(requests(0..1, 9), &told),
            "nobody sends any more"
        );
        assert!(outbox.next().is_some());
        assert!(
            !outbox.put(requests(0..1, 9), &told),
            "somebody still sends"
        );
        assert!(batches[0].deadline >= begun + Duration::from_millis(9));
        assert!(batches[1].deadline >= begun + Duration::from_millis(20));
    }

    /// Sends as a route does.
    struct Sender {
        outbox: Outbox,
        sink: Arc<dyn Sink>,
        handle: Handle,
        begun: Mutex<Vec<u64>>,
    }

    impl Sender {
        fn ask(self: &Arc<Self>, ids: std::ops::Range<u64>) {
            if self.outbox.put(requests(ids, 9), &self.sink) {
                let ours = Arc::clone(self);
                let send_all = async move {
                    let send = |batch| Arc::clone(&ours).send(batch);
                    ours.outbox.send_all(send).await;
                };
                self.handle.spawn(send_all);
            }
        }

        /// Another thread asks while the first batch is begun.
        async fn send(self: Arc<Self>, batch: Batch) {
            let first = batch.requests[0].id;
            self.begun.lock().unwrap().push(first);
            if first == 0 {
                let asking = Arc::clone(&self);
                let thread = std::thread::spawn(move || asking.ask(200..201));
                thread.join().unwrap();
            }
            yield_now().await;
        }
    }

    #[test]
    fn batches_are_begun_in_order_whichever_task_runs_first() {
        let mut builder = Builder::new_current_thread();
        // What another thread spawns always runs before what this one does, not only now and then.
        let runtime = builder.global_queue_interval(1).build().unwrap();
        let sender = Arc::new(Sender {
            outbox: Outbox::default(),
            sink: Arc::new(Told::default()),
            handle: runtime.handle().clone(),
            begun: Mutex::default(),
        });
        sender.ask(0..MANY as u64);
        sender.ask(100..100 + MANY as u64);
        runtime.block_on(async {
            for _ in 0..100 {
                yield_now().await;
            }
        });
        assert_eq!(*sender.begun.lock().unwrap(), [0, 100, 200]);
    }
}
