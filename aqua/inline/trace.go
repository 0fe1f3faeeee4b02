package inline

import "github.com/aquanode/aquanode/aqua/topology"

// traced reports to the initiator that a call is entered, that it was left,
// and with which error if it failed:
//
//	(seq
//	 (par (call %init_peer_id% ("tracingSrv" "tracingEvent") [title "enter"]) (null))
//	 (xor
//	  (seq BODY (par (call .. [title "exit"]) (null)))
//	  (seq (new -return-error-msg- report) (fail :error:))))
//
// Where nothing happens, nothing is reported.
func (in *inliner) traced(title string, body code) code {
	if !in.opts.Tracing || idle(body.node()) {
		return body
	}
	exit := append(body[:len(body):len(body)], in.event(title, "exit"))
	return code{in.event(title, "enter"), xor(seq(exit...), seq(in.errorEvent(title), rethrow()))}
}

func (in *inliner) event(title, what string) *topology.Node {
	n := topology.NewNode(in.initiator(), call("tracingSrv", "tracingEvent", nil, text(title), text(what)))
	return topology.NewNode(&topology.Par{Detached: true}, n)
}

func (in *inliner) errorEvent(title string) *topology.Node {
	message := scalar("-return-error-msg-")
	reason := scalar(":error:").With(topology.Step{Field: "message"})
	report := seq(
		call("op", "concat_strings", &message, text("exit with error: "), reason),
		call("tracingSrv", "tracingEvent", nil, text(title), message))
	return topology.NewNode(in.initiator(), restricted(report, message.Name))
}
