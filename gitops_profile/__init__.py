"""gitops_profile: SIP phone profiles from git, delivered by `Event: ua-profile` (RFC 6080)."""
