//! What the pages say, in the languages that mail is written in.

use domain::{Language, Purpose};

/// The texts of one page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    pub title: &'static str,
    pub text: &'static str,
    /// Of the password's field; empty where there is none.
    pub label: &'static str,
    pub button: &'static str,
    /// Once it is done.
    pub done: &'static str,
}

pub(super) fn tag(language: Language) -> &'static str {
    match language {
        Language::English => "en",
        Language::Korean => "ko",
    }
}

pub(super) fn words(language: Language, purpose: Purpose) -> Words {
    match (language, purpose) {
        (Language::English, Purpose::Invite) => Words {
            title: "Accept the invitation",
            text: "Choose a password of at least 8 characters. With it and your e-mail address you sign in.",
            label: "Password",
            button: "Accept",
            done: "Your account is ready. You can sign in now.",
        },
        (Language::English, Purpose::Reset) => Words {
            title: "Choose a new password",
            text: "It must have at least 8 characters. Whoever is signed in to your account is signed out.",
            label: "New password",
            button: "Set the password",
            done: "Your password is changed. You can sign in now.",
        },
        (Language::English, Purpose::Verify) => Words {
            title: "Confirm your e-mail address",
            text: "Press the button to show that this address is yours.",
            label: "",
            button: "Confirm",
            done: "Thank you. Your address is confirmed.",
        },
        (Language::Korean, Purpose::Invite) => Words {
            title: "초대 수락",
            text: "8자 이상의 비밀번호를 정하세요. 이메일 주소와 이 비밀번호로 로그인합니다.",
            label: "비밀번호",
            button: "수락",
            done: "계정이 준비되었습니다. 이제 로그인할 수 있습니다.",
        },
        (Language::Korean, Purpose::Reset) => Words {
            title: "새 비밀번호 설정",
            text: "8자 이상이어야 합니다. 계정의 다른 로그인은 모두 종료됩니다.",
            label: "새 비밀번호",
            button: "비밀번호 설정",
            done: "비밀번호가 변경되었습니다. 이제 로그인할 수 있습니다.",
        },
        (Language::Korean, Purpose::Verify) => Words {
            title: "이메일 주소 확인",
            text: "이 주소가 본인의 것임을 확인하려면 버튼을 누르세요.",
            label: "",
            button: "확인",
            done: "감사합니다. 주소가 확인되었습니다.",
        },
    }
}

/// What is said of a link that is not good any more.
pub(super) fn dead(language: Language) -> &'static str {
    match language {
        Language::English => "This link is not valid any more. Ask for a new one.",
        Language::Korean => "이 링크는 더 이상 유효하지 않습니다. 새 링크를 요청하세요.",
    }
}

/// What is said of a password that is refused, by the reason's code.
pub(super) fn refused(language: Language, code: &str, english: &str) -> String {
    let korean = match (language, code) {
        (Language::English, _) => return english.to_owned(),
        (Language::Korean, "too_short") => "비밀번호는 8자 이상이어야 합니다.",
        (Language::Korean, "too_long") => "비밀번호는 128자 이하여야 합니다.",
        (Language::Korean, _) => "너무 흔한 비밀번호입니다. 다른 비밀번호를 정하세요.",
    };
    korean.to_owned()
}

/// What is said where the server cannot answer now.
pub(super) fn later(language: Language) -> &'static str {
    match language {
        Language::English => "The server cannot do this now. Try again in a moment.",
        Language::Korean => "지금은 처리할 수 없습니다. 잠시 후 다시 시도하세요.",
    }
}
