// Package jsclient judges peers by clients nobody here wrote: the npm packages
// @fluencelabs/js-client and @fluencelabs/aqua-api, unmodified, against real processes of
// aquanode.
//
//	go test -tags interop ./test/interop/jsclient
//	go test -tags interop ./test/interop/jsclient -run 'TestScenarios/errors'
//
// The scenarios are JavaScript, a file per subject in js/, over Aqua of the same name, which
// "aquanode compile" compiles; js/mixed.mjs holds that the published compiler makes the same
// of it. Each scenario is a subtest. One Node.js process, js/runner.mjs, runs them one after
// the other; what only the test can do, such as ending a peer or cutting a connection, it
// asks the test for.
//
// A client is a peer: for every particle its own AquaVM merges what our peers wrote. That
// it fails or cannot read a particle is only written to the client's log, so the log is
// watched in every scenario. The journals of our peers are looked into as well: no
// interpreter may have ended with an error but where a scenario provoked it.
//
// The page docs/JS-CLIENT.md is done as it stands, and has to give what it promises.
//
// The packages are installed by npm ci from the lock file beside this source, into the
// user's cache directory. A transitive dependency of the client is pinned to a version that
// works with Node.js 20, see package.json. Without Node.js the tests fail.
package jsclient
