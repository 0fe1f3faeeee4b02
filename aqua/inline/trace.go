package inline

import "github.com/aquanode/aquanode/aqua/step"

// traced reports to the initiator that a call begins, that it ended, and its error
// if it failed:
//
//	(seq
//	 (par (call %init_peer_id% ("tracingSrv" "tracingEvent") [title "enter"]) (null))
//	 (xor
//	  (seq BODY (par (call .. [title "exit"]) (null)))
//	  (seq (new -return-error-msg- report) (fail :error:))))
//
// A call without steps is not reported.
func (in *inliner) traced(title string, body code) code {
	if !in.opts.Tracing || body.node().Idle() {
		return body
	}
	exit := append(body[:len(body):len(body)], in.event(title, "exit"))
	return code{
		in.event(title, "enter"),
		step.Xor(step.Seq(exit...), step.Seq(in.errorEvent(title), rethrow())),
	}
}

func (in *inliner) event(title, what string) *step.Node {
	event := call("tracingSrv", "tracingEvent", nil, step.Text(title), step.Text(what))
	return step.Detach(step.On(in.initiator(), event))
}

func (in *inliner) errorEvent(title string) *step.Node {
	message := step.Var("-return-error-msg-")
	reason := step.Var(step.ErrorName).WithField("message")
	report := step.Seq(
		call("op", "concat_strings", &message, step.Text("exit with error: "), reason),
		call("tracingSrv", "tracingEvent", nil, step.Text(title), message))
	return step.On(in.initiator(), restricted(report, message.Name))
}
