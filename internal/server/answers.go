package server

import (
	"context"
	"fmt"

	"mishap"
	"mishap/internal/api"
)

// InForce lists the experiments in force by name.
func (s *Server) InForce() (list []mishap.Experiment) {
	for _, h := range s.desired.inForce() {
		list = append(list, h.Experiment)
	}
	return list
}

// Experiments are those in force, by name, and which of them the settings do not allow.
func (s *Server) Experiments() []api.ExperimentView {
	all := []api.ExperimentView{}
	for _, h := range s.desired.inForce() {
		all = append(all, s.desired.view(h))
	}
	return all
}

// Experiment is the one of that name, if it is in force.
func (s *Server) Experiment(name string) (api.ExperimentView, bool) {
	h, ok := s.desired.experiment(name)
	if !ok {
		return api.ExperimentView{}, false
	}
	return s.desired.view(h), true
}

func (d *desired) view(h held) api.ExperimentView {
	return api.ExperimentView{Experiment: h.Experiment, From: h.source, Forbidden: d.forbids(h)}
}

// Going are the runs that go on in this process as they stand, which nobody may
// change, and how many events there were until now: while that stays, nothing
// happened here.
func (s *Server) Going() (runs []*mishap.Run, events int64) {
	return s.events.now(), s.events.hub.last()
}

// Start starts an experiment in force because somebody asks for it. Asking twice with
// the same key, which may be empty, starts one run.
func (s *Server) Start(ctx context.Context, want api.StartRequest, by, key string) (api.StartAnswer, error) {
	got, err := s.asker.ask(ctx, want, by, key)
	switch {
	case err != nil:
		return api.StartAnswer{}, err
	case got.Refused != "":
		return api.StartAnswer{}, mishap.Refusal(fmt.Errorf("run %s did not start (%s): %s", got.ID, got.Cause, got.Refused))
	}
	return api.StartAnswer{Run: got.ID, Again: got.Again}, nil
}

// Approvable plans an experiment in force, and says what a person is to know of that.
func (s *Server) Approvable(ctx context.Context, name string) (api.Approvable, error) {
	return s.approvals.described(ctx, name)
}

// Approve records the yes of somebody, and what gives them their role, if the plan is
// still the one that was looked at and is somebody else's.
func (s *Server) Approve(ctx context.Context, in api.ApproveRequest, by, through string) (mishap.Approval, error) {
	return s.approvals.approve(ctx, in, by, through)
}

// Approvals are what somebody has said yes to, and why that counts no more where it
// does not.
func (s *Server) Approvals(ctx context.Context) ([]mishap.Approval, error) {
	all, err := s.approvals.book.Approvals(ctx)
	return append([]mishap.Approval{}, s.approvals.judge(all)...), err
}

// Refresh lets a source be looked at now; false if there is no such one.
func (s *Server) Refresh(source string) bool { return s.follower.refreshNow(source) }

// RefreshAll lets every source be looked at now.
func (s *Server) RefreshAll() { s.follower.refreshAll() }
