mod bodies;
mod credentials;
mod forms;
mod sign;
mod support;
mod surface;
