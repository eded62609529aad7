mod model;
mod scenes;
mod schedules;
