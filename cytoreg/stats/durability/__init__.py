"""How long a response lasts: risk intervals, Kaplan-Meier, Cox, interval-censored Weibull, weights for re-infusion."""
