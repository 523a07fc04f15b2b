// Package console is what a server shows to people in a browser: what goes on, what
// is declared, what came out, and the buttons that stop and start.
//
// It is a client of the API, in the same process: every page and every act asks the
// routes of [Options.API] as who looks, so that it knows nothing that the API would not
// say and does nothing that the API would not do. Roles decide which buttons a page has;
// whether an act is allowed is decided by the API when it is made.
//
// Pages are whole without JavaScript. A small script of the console's own lets them
// follow what happens. Nothing is fetched from elsewhere.
package console
