package cloud

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// renewable are credentials as they were found on this machine, and are looked for
// anew once AWS has said that they expired: whoever is told to log in again must not
// have to end what waits for that.
type renewable struct {
	region  string
	mu      sync.Mutex
	now     aws.CredentialsProvider
	account string // that others must be of too; empty: any, as a role is taken on with them
}

// Retrieve returns those that were found last.
func (r *renewable) Retrieve(ctx context.Context) (aws.Credentials, error) {
	r.mu.Lock()
	now := r.now
	r.mu.Unlock()
	return now.Retrieve(ctx)
}

// renew looks for others. If there are none, or they are of another account, in which
// nothing of what is recorded is found, it stays with what there is.
func (r *renewable) renew(ctx context.Context) {
	cfg, err := load(ctx, r.region)
	if err != nil {
		return
	}
	r.mu.Lock()
	account := r.account
	r.mu.Unlock()
	if account != "" {
		who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if err != nil || aws.ToString(who.Account) != account {
			return
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = cfg.Credentials
}

// only lets credentials of no other account follow.
func (r *renewable) only(account string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.account = account
}

// assumed are credentials of a role, which others stand behind.
type assumed struct {
	*aws.CredentialsCache
	behind aws.CredentialsProvider
}

func (a assumed) renew(ctx context.Context) {
	a.Invalidate()
	renew(ctx, a.behind)
}

// renew looks for other credentials, where there may be some.
func renew(ctx context.Context, p aws.CredentialsProvider) {
	if can, is := p.(interface{ renew(context.Context) }); is {
		can.renew(ctx)
	}
}
