mod bodies;
mod credentials;
mod sign;
mod support;
mod surface;
