//! The routes that are in use. Limiters with equal settings share one.
//!
//! A program may make a limiter for each request: a route that nobody uses lingers for a while.

use std::collections::HashMap;
use std::mem::{forget, replace, take};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::io_thread;
use super::route::Route;
use super::settings::Settings;
use crate::store::fork::locked_now;

/// A route that nobody uses is kept for so long,
const LINGER: Duration = Duration::from_secs(5);
/// and so many of them at most.
const MOST_LINGERING: usize = 64;

static ROUTES: LazyLock<Mutex<Routes>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Routes {
    by_settings: HashMap<Arc<Settings>, Entry>,
    lingering: usize,
}

struct Entry {
    route: Arc<Route>,
    /// How often it is used. Calls on their way do not count.
    uses: usize,
    /// When the last use ended, if there is none.
    unused_since: Option<Instant>,
    /// Whether somebody will look when it has lingered for long enough.
    is_watched: bool,
}

/// A limiter's use of a route, until it is dropped.
pub struct RouteUse {
    route: Arc<Route>,
    lingers: bool,
}

impl RouteUse {
    /// Use the route for these settings, which is made if there is none.
    ///
    /// # Errors
    /// When the system gives no thread for it.
    pub fn of(settings: &Settings) -> std::io::Result<Self> {
        let routes = &mut *locked_now(&ROUTES);
        let Some(entry) = routes.by_settings.get_mut(settings) else {
            let route = Arc::new(Route::new(settings, io_thread::handle()?));
            let entry = Entry {
                route: Arc::clone(&route),
                uses: 1,
                unused_since: None,
                is_watched: false,
            };
            let settings = Arc::clone(&route.settings);
            routes.by_settings.insert(settings, entry);
            return Ok(Self::new(route));
        };
        entry.uses += 1;
        if entry.unused_since.take().is_some() {
            routes.lingering -= 1;
        }
        Ok(Self::new(Arc::clone(&entry.route)))
    }

    fn new(route: Arc<Route>) -> Self {
        Self {
            route,
            lingers: true,
        }
    }

    /// The route.
    #[must_use]
    pub fn route(&self) -> &Arc<Route> {
        &self.route
    }

    /// End this use. If it was the last one, the connections close at once, when what is on its
    /// way has been answered.
    pub fn release(mut self) {
        self.lingers = false;
    }
}

impl Drop for RouteUse {
    fn drop(&mut self) {
        let settings = &self.route.settings;
        let mut routes = locked_now(&ROUTES);
        let Some(entry) = routes.by_settings.get_mut(settings) else {
            return;
        };
        entry.uses -= 1;
        if entry.uses > 0 {
            return;
        }
        if !self.lingers {
            routes.by_settings.remove(settings);
            return;
        }
        entry.unused_since = Some(Instant::now());
        if !replace(&mut entry.is_watched, true) {
            let watch = close_when_unused(Arc::clone(settings));
            self.route.handle().spawn(watch);
        }
        routes.lingering += 1;
        routes.keep_few();
    }
}

impl Routes {
    /// Close the one that has lingered for longest, if there are too many.
    fn keep_few(&mut self) {
        if self.lingering <= MOST_LINGERING {
            return;
        }
        let unused = |(settings, entry): (&Arc<Settings>, &Entry)| {
            Some((entry.unused_since?, Arc::clone(settings)))
        };
        let lingering = self.by_settings.iter().filter_map(unused);
        if let Some((_, settings)) = lingering.min_by_key(|(since, _)| *since) {
            self.close(&settings);
        }
    }

    /// Close one that lingers.
    fn close(&mut self, settings: &Settings) {
        self.by_settings.remove(settings);
        self.lingering -= 1;
    }
}

async fn close_when_unused(settings: Arc<Settings>) {
    let mut ends = Instant::now() + LINGER;
    loop {
        sleep_until(ends).await;
        let mut routes = locked_now(&ROUTES);
        let Some(entry) = routes.by_settings.get_mut(&settings) else {
            return;
        };
        match entry.unused_since {
            None => {
                entry.is_watched = false;
                return;
            }
            Some(since) if since.elapsed() < LINGER => ends = since + LINGER,
            Some(_) => {
                routes.close(&settings);
                return;
            }
        }
    }
}

/// In a forked child, which has no connections, and must not touch its parent's.
pub fn after_fork_in_child() {
    io_thread::after_fork_in_child();
    forget(take(&mut *locked_now(&ROUTES)));
}
