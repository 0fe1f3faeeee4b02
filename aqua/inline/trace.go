package inline

import "github.com/aquanode/aquanode/aqua/topology"

// traced reports to the initiator that an arrow is entered, that it was left,
// and with which error if it failed:
//
//	(seq
//	 (par (call %init_peer_id% ("tracingSrv" "tracingEvent") [title "enter"]) (null))
//	 (xor
//	  (seq BODY (par (call .. [title "exit"]) (null)))
//	  (seq (new -return-error-msg- report) (fail :error:))))
func (in *inliner) traced(title string, body code) code {
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
	report := topology.NewNode(in.initiator(),
		call("op", "concat_strings", &message, text("exit with error: "), reason),
		call("tracingSrv", "tracingEvent", nil, text(title), message))
	return restricted(report, message.Name)
}
